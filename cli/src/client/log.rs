//! A job's log, line by line, across broken connections.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use orcaops_common::domain::log::{LogFilter, LogStream, exact_bytes};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;

use super::error::ClientError;
use super::http::Client;
use super::retry::Patience;
use super::sse::{SseEvent, SseParser};

/// A stream that is silent for longer has lost its server, which sends a comment every 15 seconds.
pub(super) const LONGEST_SILENCE: Duration = Duration::from_secs(50);
/// The id before the first line.
const BEGINNING: &str = "0-0";

/// What a log's stream says.
#[derive(Debug)]
pub(crate) enum LogEvent {
    /// A line.
    Line(Line),
    /// The job has ended, and so has its log.
    Done,
}

/// A line.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    /// Where it came from.
    pub(crate) stream: LogStream,
    /// Its text, without the end.
    pub(crate) line: String,
    /// Its exact bytes as base64, where the text can't hold them.
    #[serde(default)]
    pub(crate) bytes: Option<String>,
    /// Whether it has no end: the next one of the same origin goes on with it, or nothing does.
    #[serde(default)]
    pub(crate) partial: bool,
    /// The attempt that printed it.
    #[serde(default)]
    pub(crate) attempt: String,
    /// The whole event, as it came.
    #[serde(skip)]
    pub(crate) json: String,
}

impl Line {
    /// Its bytes as the job wrote them, without the end.
    pub(crate) fn content(&self) -> Cow<'_, [u8]> {
        exact_bytes(&self.line, self.bytes.as_deref())
    }
}

/// Which lines of a log are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Only the last so many of those that are wanted; all when absent.
    pub(crate) tail: Option<u32>,
    /// Which.
    pub(crate) filter: LogFilter,
}

impl Selection {
    pub(super) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        let steps = self.filter.steps.iter().map(|step| ("step", step.to_string()));
        let streams = self.filter.streams.iter().map(|stream| ("stream", stream.as_str().to_owned()));
        request.query(&steps.chain(streams).collect::<Vec<_>>())
    }
}

/// Reads a job's log to the job's end.
pub(crate) struct LogReader {
    client: Client,
    job: String,
    selection: Selection,
    last: Option<String>,
    parser: SseParser,
    bytes: Option<BoxStream<'static, reqwest::Result<Bytes>>>,
    ready: VecDeque<LogEvent>,
    patience: Patience,
}

impl LogReader {
    /// A reader of the lines that are wanted. It connects when the first event is asked for.
    pub(crate) fn new(client: Client, job: &str, selection: Selection) -> Self {
        Self {
            client,
            job: job.to_owned(),
            last: selection.tail.is_none().then(|| BEGINNING.to_owned()),
            selection,
            parser: SseParser::default(),
            bytes: None,
            ready: VecDeque::new(),
            patience: Patience::long(),
        }
    }

    /// Whether an event is at hand, so that [`Self::next`] will not wait.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next event. Connects again, right after the last line, when the connection breaks off. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<LogEvent, ClientError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            if let Err(error) = self.fill().await {
                self.bytes = None;
                self.parser = SseParser::default();
                self.patience.failed(error).await?;
            }
        }
    }

    async fn fill(&mut self) -> Result<(), ClientError> {
        let stream = match &mut self.bytes {
            Some(stream) => stream,
            None => {
                let request = self.client.request(Method::GET, &["jobs", &self.job, "logs", "stream"]);
                let mut request = self.selection.apply(request);
                if let Some(tail) = self.selection.tail {
                    request = request.query(&[("tail", tail)]);
                }
                if let Some(last) = &self.last {
                    request = request.header("Last-Event-ID", last);
                }
                let response = self.client.send(request).await?;
                self.bytes.insert(response.bytes_stream().boxed())
            }
        };
        let address = self.client.address();
        let broken = |reason: &str| ClientError::Broken { address: address.clone(), reason: reason.into() };
        let bytes = match tokio::time::timeout(LONGEST_SILENCE, stream.next()).await {
            Err(_) => return Err(broken("the log stream fell silent")),
            Ok(None) => return Err(broken("the log stream ended before the job")),
            Ok(Some(bytes)) => bytes.map_err(|e| ClientError::of(&address, &e))?,
        };
        self.parser.push(&bytes).map_err(|e| broken(&e.to_string()))?;
        self.patience.succeeded();
        while let Some(event) = self.parser.next() {
            let event = self.read(event)?;
            self.ready.push_back(event);
        }
        Ok(())
    }

    fn read(&mut self, event: SseEvent) -> Result<LogEvent, ClientError> {
        let unreadable = |cause| ClientError::Unreadable { address: self.client.address(), cause };
        if event.name == "done" {
            return Ok(LogEvent::Done);
        }
        let line: Line = serde_json::from_str(&event.data).map_err(unreadable)?;
        if let Some(id) = event.id {
            self.last = Some(id);
        }
        Ok(LogEvent::Line(Line { json: event.data, ..line }))
    }
}
