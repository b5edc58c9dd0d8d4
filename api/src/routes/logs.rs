//! What a job prints, while it prints it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use orcaops_common::domain::run::JobStatus;
use orcaops_common::store::Store;
use poem::Body;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{Enum, Object, OpenApi};

use super::body::EventsAnswer;
use super::jobs::record_of;
use crate::log_stream::{LogStreams, Start};
use crate::openapi::Tag;
use crate::problem::{Kind, Problem};

/// Where a line came from.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "LogStream")]
enum StreamName {
    /// A step's standard output.
    Stdout,
    /// A step's standard error.
    Stderr,
    /// OrcaOps' own words.
    System,
}

/// A line of a job's log. The event's `id` is the line's; pass it as `Last-Event-ID` to go on after it.
#[derive(Object)]
struct LogLineEvent {
    /// When the worker received it.
    timestamp: DateTime<Utc>,
    /// Where it came from.
    stream: StreamName,
    /// The line, without its end.
    line: String,
    /// The step that wrote it, from 0; null for OrcaOps' own words and for what an earlier step left running.
    step: Option<u32>,
    /// The attempt that produced it, as dispatch and delivery.
    attempt: String,
}

/// The data of the last event, `done`.
#[derive(serde::Serialize)]
pub(crate) struct DoneData<'a> {
    /// The job.
    pub(crate) job_id: &'a str,
    /// How it ended.
    pub(crate) status: JobStatus,
}

/// How many lines of the past are sent when nothing is said.
fn default_tail() -> u32 {
    100
}

pub(crate) struct LogsApi;

#[OpenApi(prefix_path = "/orcaops", tag = "Tag::Jobs")]
impl LogsApi {
    /// Follow a job's log
    ///
    /// Server-sent events, a line each, until the event `done`, whose data is {job_id, status}. The stream of a
    /// queued job waits; that of a job that has ended replays its log and ends.
    #[oai(path = "/jobs/:job_id/logs/stream", method = "get", operation_id = "stream_logs")]
    async fn stream(
        &self,
        job_id: Path<String>,
        /// How many lines of the past to send first.
        #[oai(default = "default_tail", validator(maximum(value = "10000")))]
        tail: Query<u32>,
        /// The id of the last line received: the stream goes on right after it, and `tail` does not count. `0-0`
        /// is before the first line.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<String>>,
        store: Data<&Arc<dyn Store>>,
        streams: Data<&LogStreams>,
    ) -> Result<EventsAnswer<LogLineEvent>, Problem> {
        let start = match last_event_id.0.as_deref().filter(|id| !id.is_empty()) {
            None => Start::Tail(tail.0 as usize),
            Some(id) => Start::after(id).ok_or_else(|| {
                let detail = format!("`Last-Event-ID: {id}` is no line's id; send one that this stream gave");
                Problem::new(Kind::InvalidParameter, detail)
            })?,
        };
        let record = record_of(&job_id, &store).await?;
        let events = streams.open(record.job_id, start).ok_or_else(|| {
            Problem::new(Kind::TooManyStreams, "too many log streams are open; try again later")
        })?;
        Ok(EventsAnswer::new(Body::from_bytes_stream(events)))
    }
}
