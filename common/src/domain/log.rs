//! What a job prints, as it travels.

use chrono::{DateTime, Utc};

use super::id::AttemptId;

/// Where a log entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
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
