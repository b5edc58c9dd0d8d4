//! Logs: a subject for each job in one stream. A position is the stream's sequence.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::pull::{Config, Stream};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use super::NatsBus;
use super::error::unavailable;
use super::stream::LOGS;
use crate::bus::{BusError, LogPosition, LogWriter, log_codec};
use crate::domain::id::JobId;
use crate::domain::log::LogEntry;

/// How many entries are under way at once.
const WINDOW: usize = 32;
/// How many entries a reader holds at most, of up to 64 KiB each: a client that reads slowly must not fill memory.
const READ_AHEAD: usize = 32;
/// How long one request for entries waits at the server.
const PULL: Duration = Duration::from_secs(30);
/// How often the server shows that it is still there while it has nothing to send.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long the server remembers a reader that asks for nothing; those that end in order are deleted at once.
const FORGET: Duration = Duration::from_secs(15);
/// How often a reader that lost its place tries to find it again.
const READ_TRIES: u32 = 20;
/// The pause between such tries.
const READ_PAUSE: Duration = Duration::from_millis(500);

impl NatsBus {
    pub(super) async fn writer_of(&self, job: &JobId) -> Result<Writer, BusError> {
        self.stream(&LOGS).await?;
        Ok(Writer {
            jetstream: self.jetstream.clone(),
            subject: subject(job),
            under_way: VecDeque::new(),
            address: self.address.clone(),
        })
    }

    pub(super) async fn reader_of(
        &self,
        job: &JobId,
        after: LogPosition,
    ) -> Result<BoxStream<'static, Result<(LogPosition, LogEntry), BusError>>, BusError> {
        // Made now when it is not there, so that a first reader may come before the first writer.
        self.stream(&LOGS).await?;
        let mut reader = Reader {
            jetstream: self.jetstream.clone(),
            subject: subject(job),
            messages: None,
            received: 0,
            position: after,
            address: self.address.clone(),
            broken: false,
        };
        reader.open().await?;
        let entries = stream::unfold(reader, |mut reader| async {
            if reader.broken {
                return None;
            }
            let next = reader.next().await;
            reader.broken = next.is_err();
            Some((next, reader))
        });
        Ok(entries.boxed())
    }

    pub(super) async fn end_of(&self, job: &JobId) -> Result<LogPosition, BusError> {
        let stream = self.stream(&LOGS).await?;
        match stream.get_last_raw_message_by_subject(&subject(job)).await {
            Ok(message) => Ok(message.sequence),
            Err(e) if matches!(e.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(0),
            Err(e) => Err(self.unavailable(e)),
        }
    }

    pub(super) async fn purge_log(&self, job: &JobId) -> Result<(), BusError> {
        let stream = self.stream(&LOGS).await?;
        stream.purge().filter(subject(job)).await.map(drop).map_err(|e| self.unavailable(e))
    }
}

fn subject(job: &JobId) -> String {
    format!("orcaops.logs.{job}")
}

/// Writes a job's log, several entries under way at once, in order.
pub(super) struct Writer {
    jetstream: Context,
    subject: String,
    under_way: VecDeque<PublishAckFuture>,
    address: String,
}

impl Writer {
    async fn confirm_oldest(&mut self) -> Result<(), BusError> {
        let Some(oldest) = self.under_way.pop_front() else { return Ok(()) };
        match oldest.await {
            Ok(_) => Ok(()),
            Err(e) => Err(unavailable(&self.address, e)),
        }
    }
}

#[async_trait]
impl LogWriter for Writer {
    async fn append(&mut self, entry: LogEntry) -> Result<(), BusError> {
        while self.under_way.len() >= WINDOW {
            self.confirm_oldest().await?;
        }
        let payload = log_codec::encode(&entry);
        let sent = self.jetstream.publish(self.subject.clone(), payload).await;
        self.under_way.push_back(sent.map_err(|e| unavailable(&self.address, e))?);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), BusError> {
        while !self.under_way.is_empty() {
            self.confirm_oldest().await?;
        }
        Ok(())
    }
}

/// Reads a job's log, and finds its place again when the server was away.
struct Reader {
    jetstream: Context,
    subject: String,
    messages: Option<Messages>,
    /// How many entries came since the messages were opened: one that is missing shows in the count.
    received: u64,
    position: LogPosition,
    address: String,
    broken: bool,
}

/// The entries of one consumer, which ends with them: a server takes only so many consumers.
struct Messages {
    stream: Stream,
    consumer: String,
    jetstream: Context,
}

impl Drop for Messages {
    fn drop(&mut self) {
        let (jetstream, consumer) = (self.jetstream.clone(), std::mem::take(&mut self.consumer));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(e) = jetstream.delete_consumer_from_stream(&consumer, LOGS.name).await {
                    tracing::debug!(error = %e, "a reader's consumer is left for the server to forget");
                }
            });
        }
    }
}

impl Reader {
    async fn open(&mut self) -> Result<(), BusError> {
        let stream = self.jetstream.get_stream(LOGS.name).await;
        let last = stream.map_err(|e| unavailable(&self.address, e))?.cached_info().state.last_sequence;
        if self.position > last {
            // Further than anything was ever written: the server has lost its data and counts from 1 again.
            self.position = 0;
        }
        let config = Config {
            filter_subject: self.subject.clone(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.position + 1 },
            ack_policy: AckPolicy::None,
            inactive_threshold: FORGET,
            memory_storage: true,
            num_replicas: 1,
            ..Default::default()
        };
        let consumer = self
            .jetstream
            .create_consumer_on_stream(config, LOGS.name)
            .await
            .map_err(|e| unavailable(&self.address, e))?;
        let stream = consumer
            .stream()
            .max_messages_per_batch(READ_AHEAD)
            .expires(PULL)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|e| unavailable(&self.address, e))?;
        let consumer = consumer.cached_info().name.clone();
        self.messages = Some(Messages { stream, consumer, jetstream: self.jetstream.clone() });
        self.received = 0;
        Ok(())
    }

    async fn next(&mut self) -> Result<(LogPosition, LogEntry), BusError> {
        let mut tries = 0;
        loop {
            match self.try_next().await {
                Ok(Some(entry)) => return Ok(entry),
                Ok(None) => {}
                Err(e @ BusError::Corrupt { .. }) => return Err(e),
                Err(e) => {
                    tries += 1;
                    if tries > READ_TRIES {
                        return Err(e);
                    }
                    tracing::debug!(error = %e, "a reader of a log lost its place");
                    tokio::time::sleep(READ_PAUSE).await;
                }
            }
            self.messages = None;
        }
    }

    /// The next entry; `None` when the place was lost.
    async fn try_next(&mut self) -> Result<Option<(LogPosition, LogEntry)>, BusError> {
        if self.messages.is_none() {
            self.open().await?;
        }
        let Some(messages) = &mut self.messages else { return Ok(None) };
        let Some(message) = messages.stream.next().await else { return Ok(None) };
        let message = message.map_err(|e| unavailable(&self.address, e))?;
        let info = message.info().map_err(|e| unavailable(&self.address, e))?;
        if info.consumer_sequence != self.received + 1 {
            return Err(unavailable(&self.address, "an entry did not arrive"));
        }
        self.received += 1;
        let position = info.stream_sequence;
        self.position = position;
        Ok(Some((position, log_codec::decode(message.message.payload)?)))
    }
}
