//! The way from a stream's task to its client.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use orcaops_common::domain::log::{LogFilter, LogLine, LogStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::start::Format;
use crate::routes::DoneData;

/// A batch is sent once it has so many bytes.
const BATCH: usize = 64 * 1024;
/// How long a client hears nothing before it hears a comment.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What a silent stream says.
const COMMENT: &[u8] = b": still here\n\n";

/// The client is gone, or the service ends.
#[derive(Debug)]
pub(super) struct Gone;

/// Encodes the lines that are wanted and sends them in batches.
pub(super) struct Output {
    format: Format,
    filter: LogFilter,
    to: mpsc::Sender<io::Result<Bytes>>,
    stop: CancellationToken,
    batch: Vec<u8>,
    sent: Instant,
}

/// A line as it is sent.
#[derive(serde::Serialize)]
struct LineData<'a> {
    timestamp: DateTime<Utc>,
    stream: LogStream,
    line: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    step: Option<u32>,
    attempt: &'a str,
}

impl Output {
    pub(super) fn new(
        to: mpsc::Sender<io::Result<Bytes>>,
        stop: CancellationToken,
        format: Format,
        filter: LogFilter,
    ) -> Self {
        Self { format, filter, to, stop, batch: Vec::new(), sent: Instant::now() }
    }

    /// Whether a line is wanted.
    pub(super) fn wants(&self, line: &LogLine) -> bool {
        self.filter.passes(line)
    }

    /// How lines are written.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Waits until there is nobody to send to any more.
    pub(super) async fn gone(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.to.closed() => {}
        }
    }

    /// Adds a line, if it is wanted; sends when enough have come together.
    pub(super) async fn line(&mut self, line: &LogLine) -> Result<(), Gone> {
        if !self.wants(line) {
            return Ok(());
        }
        match self.format {
            Format::Events => {
                self.batch.extend_from_slice(b"id: ");
                self.batch.extend_from_slice(line.id.as_bytes());
                self.batch.extend_from_slice(b"\ndata: ");
                let data = LineData {
                    timestamp: line.timestamp,
                    stream: line.stream,
                    line: &line.line,
                    bytes: line.bytes.as_deref(),
                    partial: line.partial,
                    step: line.step,
                    attempt: &line.attempt,
                };
                self.data(&data)?;
            }
            Format::Json => {
                serde_json::to_writer(&mut self.batch, line).map_err(|_| Gone)?;
                self.batch.push(b'\n');
            }
            Format::Text => self.batch.extend_from_slice(&line.content()),
        }
        if self.batch.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    /// Breaks the answer off, so that its client knows that this is not all.
    pub(super) async fn broken(&mut self, reason: &str) -> Gone {
        if self.flush().await.is_ok() {
            let _ = self.to.send(Err(io::Error::other(reason.to_owned()))).await;
        }
        Gone
    }

    /// Sends the last event.
    pub(super) async fn done(&mut self, data: &DoneData<'_>) -> Result<(), Gone> {
        self.batch.extend_from_slice(b"event: done\ndata: ");
        self.data(data)?;
        self.flush().await
    }

    /// Sends what has come together.
    pub(super) async fn flush(&mut self) -> Result<(), Gone> {
        if self.batch.is_empty() {
            return Ok(());
        }
        // A vector of the same size will do for the next batch.
        let next = Vec::with_capacity(self.batch.len().min(2 * BATCH));
        let batch = Bytes::from(std::mem::replace(&mut self.batch, next));
        self.send(batch).await
    }

    /// Says that the stream lives, when it has been silent for long.
    pub(super) async fn heartbeat(&mut self) -> Result<(), Gone> {
        if self.sent.elapsed() < HEARTBEAT {
            return Ok(());
        }
        self.send(Bytes::from_static(COMMENT)).await
    }

    fn data(&mut self, data: &impl serde::Serialize) -> Result<(), Gone> {
        // JSON holds no line ends, so that an event has one line of data.
        serde_json::to_writer(&mut self.batch, data).map_err(|_| Gone)?;
        self.batch.extend_from_slice(b"\n\n");
        Ok(())
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), Gone> {
        let sent = tokio::select! {
            () = self.stop.cancelled() => return Err(Gone),
            sent = self.to.send(Ok(bytes)) => sent,
        };
        self.sent = Instant::now();
        sent.map_err(|_| Gone)
    }
}
