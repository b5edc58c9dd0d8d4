//! Streams: made when they are not there, also when the server has lost them.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{
    Context, CreateStreamError, CreateStreamErrorKind, GetStreamErrorKind, PublishError,
};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::object_store;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};

use super::NatsBus;
use super::error::stream_is_gone;
use crate::bus::{BusError, MAX_MESSAGE};

/// How long the same message is known to be a duplicate.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);
/// How long logs are kept; the run layout keeps them for good.
const LOG_AGE: Duration = Duration::from_secs(24 * 3600);
/// How much of logs is kept, in bytes; the oldest go first.
const LOG_BYTES: i64 = 8 * 1024 * 1024 * 1024;
/// How much the server must have room for at least, in bytes; the server sets aside all that a stream may hold.
const MIN_LOG_BYTES: i64 = 256 * 1024 * 1024;
/// How long objects are kept: uploads that no job took, and artifacts that nobody mirrored.
const OBJECT_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// The bucket's name.
pub(super) const BUCKET: &str = "orcaops-objects";

/// What a stream is for.
pub(super) struct Plan {
    pub(super) name: &'static str,
    subjects: &'static str,
    kind: Kind,
}

enum Kind {
    /// Each message for one consumer, gone once acknowledged.
    Work,
    /// For any number of readers, for some time.
    Log,
}

/// Jobs on their way to workers.
pub(super) const JOBS: Plan = Plan { name: "ORCAOPS_JOBS", subjects: "orcaops.jobs.>", kind: Kind::Work };
/// What workers say.
pub(super) const EVENTS: Plan =
    Plan { name: "ORCAOPS_EVENTS", subjects: "orcaops.events.>", kind: Kind::Work };
/// What jobs print.
pub(super) const LOGS: Plan = Plan { name: "ORCAOPS_LOGS", subjects: "orcaops.logs.>", kind: Kind::Log };

impl Plan {
    fn config(&self) -> Config {
        let common = Config {
            name: self.name.to_owned(),
            subjects: vec![self.subjects.to_owned()],
            storage: StorageType::File,
            ..Default::default()
        };
        match self.kind {
            Kind::Work => Config {
                retention: RetentionPolicy::WorkQueue,
                discard: DiscardPolicy::New,
                duplicate_window: DUPLICATE_WINDOW,
                ..common
            },
            Kind::Log => Config {
                retention: RetentionPolicy::Limits,
                discard: DiscardPolicy::Old,
                max_age: LOG_AGE,
                max_bytes: LOG_BYTES,
                allow_direct: true,
                ..common
            },
        }
    }
}

impl NatsBus {
    /// Makes all that is not there.
    pub(super) async fn make_streams(&self) -> Result<(), BusError> {
        for plan in [&JOBS, &EVENTS, &LOGS] {
            self.stream(plan).await?;
        }
        self.bucket().await.map(drop)
    }

    /// A stream, made when it is not there. Asked for first: a worker's user may not be allowed to make it.
    pub(super) async fn stream(&self, plan: &Plan) -> Result<Stream, BusError> {
        match self.jetstream.get_stream(plan.name).await {
            Ok(stream) => Ok(stream),
            Err(e) if matches!(e.kind(), GetStreamErrorKind::JetStream(_)) => {
                self.doubt_generation().await;
                make(&self.jetstream, plan.config()).await.map_err(|e| self.unavailable(e))
            }
            Err(e) => Err(self.unavailable(e)),
        }
    }

    /// The object store, made when it is not there.
    pub(super) async fn bucket(&self) -> Result<object_store::ObjectStore, BusError> {
        match self.jetstream.get_object_store(BUCKET).await {
            Ok(bucket) => return Ok(bucket),
            // The driver does not say whether it is not there or the server did not answer; this does.
            Err(_) => self.check().await?,
        }
        let config =
            object_store::Config { bucket: BUCKET.to_owned(), max_age: OBJECT_AGE, ..Default::default() };
        match self.jetstream.create_object_store(config).await {
            Ok(bucket) => Ok(bucket),
            // Another replica was quicker.
            Err(e) => self.jetstream.get_object_store(BUCKET).await.map_err(|_| self.unavailable(e)),
        }
    }

    /// Publishes a message and waits until the stream holds it.
    pub(super) async fn put(
        &self,
        plan: &Plan,
        what: &str,
        subject: String,
        id: String,
        message: &impl serde::Serialize,
    ) -> Result<(), BusError> {
        let payload =
            serde_json::to_vec(message).map_err(|e| BusError::Corrupt { what: format!("{what}: {e}") })?;
        if payload.len() > MAX_MESSAGE {
            return Err(BusError::TooLarge {
                what: what.to_owned(),
                size: payload.len(),
                limit: MAX_MESSAGE,
            });
        }
        let publish = PublishMessage::build().message_id(id).payload(payload.into());
        match self.put_once(subject.clone(), publish.clone()).await {
            Err(e) if stream_is_gone(&e) => {
                self.stream(plan).await?;
                self.put_once(subject, publish).await.map_err(|e| self.unavailable(e))
            }
            other => other.map_err(|e| self.unavailable(e)),
        }
    }

    async fn put_once(&self, subject: String, publish: PublishMessage) -> Result<(), PublishError> {
        self.jetstream.send_publish(subject, publish).await?.await.map(drop)
    }
}

/// Makes a stream that is not there. Where the server has no room for all that it may hold, it gets between a
/// quarter and a half of the room that there is.
async fn make(jetstream: &Context, mut config: Config) -> Result<Stream, CreateStreamError> {
    let wanted = config.max_bytes;
    loop {
        match jetstream.get_or_create_stream(config.clone()).await {
            Err(e) if has_no_room(&e) && config.max_bytes / 2 >= MIN_LOG_BYTES => config.max_bytes /= 2,
            Ok(stream) if config.max_bytes < wanted => {
                config.max_bytes /= 2;
                tracing::warn!(
                    stream = config.name,
                    bytes = config.max_bytes,
                    "the NATS server has little room; old entries go sooner"
                );
                jetstream.update_stream(config).await?;
                return Ok(stream);
            }
            made => return made,
        }
    }
}

fn has_no_room(error: &CreateStreamError) -> bool {
    let CreateStreamErrorKind::JetStream(error) = error.kind() else { return false };
    error.error_code() == ErrorCode::STORAGE_RESOURCES_EXCEEDED
}
