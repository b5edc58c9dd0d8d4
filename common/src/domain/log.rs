//! What a job prints, as it travels.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
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

impl LogStream {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stdout, Self::Stderr, Self::System];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::System => "system",
        }
    }
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
    /// The text up to its `\n`, which is not part of it; a `\r` before that is. Bytes that are not UTF-8 are
    /// replaced by U+FFFD.
    pub line: String,
    /// The exact bytes as base64, where they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// Whether no `\n` followed: the line was longer than a [`LogLine`] may be and goes on in the next one of
    /// the same origin, or its writer stopped in the middle of it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub partial: bool,
    /// The step that wrote it; `None` for what an earlier step left running, and for OrcaOps' own words.
    #[serde(default)]
    pub step: Option<u32>,
    /// The attempt that produced it, as `dispatch.delivery`.
    pub attempt: String,
}

/// Which lines of a log are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only lines of these steps; all when empty.
    pub steps: Vec<u32>,
    /// Only lines of these streams; all when empty.
    pub streams: Vec<LogStream>,
}

impl LogFilter {
    /// Whether a line is wanted.
    #[must_use]
    pub fn passes(&self, line: &LogLine) -> bool {
        (self.steps.is_empty() || line.step.is_some_and(|step| self.steps.contains(&step)))
            && (self.streams.is_empty() || self.streams.contains(&line.stream))
    }
}

impl LogLine {
    /// The bytes as the job wrote them, their `\n` included. Those of one origin (attempt, step and stream) put
    /// together are all that it wrote.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let mut content = exact_bytes(&self.line, self.bytes.as_deref()).into_owned();
        if !self.partial {
            content.push(b'\n');
        }
        content
    }
}

/// The bytes of a line: those of its text, or what `base64` says where the text can't hold them.
#[must_use]
pub fn exact_bytes<'a>(text: &'a str, base64: Option<&str>) -> Cow<'a, [u8]> {
    match base64.and_then(|base64| BASE64_STANDARD.decode(base64).ok()) {
        Some(bytes) => Cow::Owned(bytes),
        None => Cow::Borrowed(text.as_bytes()),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !*value
}
