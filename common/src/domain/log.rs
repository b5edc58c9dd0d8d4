//! What a job prints, as it travels.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::AttemptId;

/// Where a log entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// A step's standard output.
    Stdout,
    /// A step's standard error.
    Stderr,
    /// OrcaOps' own words.
    System,
}

/// A piece of a job's log, in the order in which it was produced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The attempt that produced it.
    pub attempt: AttemptId,
    /// When the worker received it.
    pub at: DateTime<Utc>,
    /// What it is.
    pub body: LogBody,
}

/// What a log entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogBody {
    /// Bytes as the job wrote them: any bytes, cut anywhere.
    Chunk {
        /// The step that wrote them; `None` for what an earlier step left running, and for OrcaOps' own words.
        step: Option<u32>,
        /// Which stream.
        stream: LogStream,
        /// At most [`MAX_CHUNK`] bytes.
        data: bytes::Bytes,
    },
    /// The attempt says no more.
    End,
}

/// The most bytes in one chunk.
pub const MAX_CHUNK: usize = 64 * 1024;

/// A line of a job's log, as clients read it and as the run layout keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Names the line within its job's log, so that a reader can go on after it. See
    /// [`LineAssembler`](super::lines::LineAssembler).
    pub id: String,
    /// When the worker received the line's first byte.
    pub timestamp: DateTime<Utc>,
    /// Where it came from.
    pub stream: LogStream,
    /// The text, without the line's end. Bytes that are not UTF-8 are replaced by U+FFFD.
    pub line: String,
    /// The step that wrote it; `None` for what an earlier step left running, and for OrcaOps' own words.
    #[serde(default)]
    pub step: Option<u32>,
    /// The attempt that produced it, as `dispatch.delivery`.
    pub attempt: String,
}
