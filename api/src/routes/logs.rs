//! What a job prints: while it prints it, and so far.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use orcaops_common::domain::log::{LogFilter, LogStream};
use orcaops_common::domain::run::JobStatus;
use orcaops_common::store::Store;
use poem::web::Data;
use poem::{Body, FromRequest, Request, RequestBody};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{Enum, Object, OpenApi};

use super::body::EventsAnswer;
use super::jobs::record_of;
use super::log_answer::{LogAnswer, LogFormat};
use crate::log_stream::{Format, LogStreams, Start, Wanted};
use crate::openapi::Tag;
use crate::problem::{Kind, Problem};

/// Where a line came from.
#[derive(Clone, Copy, Enum)]
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
    /// The line up to its `\n`. Bytes that are not UTF-8 are replaced by U+FFFD.
    line: String,
    /// The exact bytes as base64, where they are not UTF-8.
    #[oai(skip_serializing_if_is_none)]
    bytes: Option<String>,
    /// True when no `\n` follows: the line is longer than 64 KiB and goes on in the next one of the same attempt,
    /// step and stream, or its writer stopped in the middle of it. False when absent.
    #[oai(default, skip_serializing_if = "is_false")]
    partial: bool,
    /// The step that wrote it, from 0; null for OrcaOps' own words and for what an earlier step left running.
    step: Option<u32>,
    /// The attempt that produced it, as dispatch and delivery.
    attempt: String,
}

/// A line of a job's log.
#[derive(Object)]
pub(super) struct LogLine {
    /// Names the line within its job's log; the stream takes it as `Last-Event-ID`. A line that a running job has
    /// not ended yet has the id of the line before it.
    id: String,
    #[oai(flatten)]
    line: LogLineEvent,
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

fn is_false(value: &bool) -> bool {
    !*value
}

fn filter(step: Query<Option<Vec<u32>>>, stream: Query<Option<Vec<StreamName>>>) -> LogFilter {
    let streams = stream.0.unwrap_or_default().into_iter().map(|name| match name {
        StreamName::Stdout => LogStream::Stdout,
        StreamName::Stderr => LogStream::Stderr,
        StreamName::System => LogStream::System,
    });
    LogFilter { steps: step.0.unwrap_or_default(), streams: streams.collect() }
}

fn too_many() -> Problem {
    Problem::new(Kind::TooManyStreams, "too many log streams are open; try again later")
}

/// Where logs come from.
struct Logs<'a> {
    store: &'a Arc<dyn Store>,
    streams: &'a LogStreams,
}

impl<'a> FromRequest<'a> for Logs<'a> {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        let Data(store) = Data::from_request(request, body).await?;
        let Data(streams) = Data::from_request(request, body).await?;
        Ok(Self { store, streams })
    }
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
        /// Only lines of this step, counted from 0. Repeatable.
        step: Query<Option<Vec<u32>>>,
        /// Only lines of this stream. Repeatable.
        stream: Query<Option<Vec<StreamName>>>,
        logs: Logs<'_>,
    ) -> Result<EventsAnswer<LogLineEvent>, Problem> {
        let start = match last_event_id.0.as_deref().filter(|id| !id.is_empty()) {
            None => Start::Tail(tail.0 as usize),
            Some(id) => Start::after(id).ok_or_else(|| {
                let detail = format!("`Last-Event-ID: {id}` is no line's id; send one that this stream gave");
                Problem::new(Kind::InvalidParameter, detail)
            })?,
        };
        let record = record_of(&job_id, logs.store).await?;
        let wanted = Wanted { start, filter: filter(step, stream), format: Format::Events };
        let events = logs.streams.follow(record.job_id, wanted).ok_or_else(too_many)?;
        Ok(EventsAnswer::new(Body::from_bytes_stream(events)))
    }

    /// Get a job's log so far
    ///
    /// As text: the bytes that the job wrote to standard output and standard error, OrcaOps' own words only where
    /// `stream` asks for them. With `Accept: application/x-ndjson`: a JSON document for each line, OrcaOps' own
    /// words included. Empty for a queued job.
    #[oai(path = "/jobs/:job_id/logs", method = "get", operation_id = "get_logs")]
    async fn so_far(
        &self,
        job_id: Path<String>,
        /// Only the last so many lines of those that are wanted; all when absent.
        #[oai(validator(maximum(value = "10000")))]
        tail: Query<Option<u32>>,
        /// Only lines of this step, counted from 0. Repeatable.
        step: Query<Option<Vec<u32>>>,
        /// Only lines of this stream. Repeatable.
        stream: Query<Option<Vec<StreamName>>>,
        format: LogFormat,
        logs: Logs<'_>,
    ) -> Result<LogAnswer, Problem> {
        let format = format.0;
        let mut filter = filter(step, stream);
        if format == Format::Text && filter.streams.is_empty() {
            filter.streams = vec![LogStream::Stdout, LogStream::Stderr];
        }
        let start = tail.0.map_or(Start::BEGINNING, |tail| Start::Tail(tail as usize));
        let record = record_of(&job_id, logs.store).await?;
        let wanted = Wanted { start, filter, format };
        let log = logs.streams.so_far(record.job_id, wanted).await?.ok_or_else(too_many)?;
        Ok(LogAnswer::new(format, log))
    }
}
