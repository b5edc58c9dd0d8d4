//! Makes lines of the chunks that a job's log is stored in.
//!
//! Chunks are cut anywhere and interleave streams; lines are what readers want, each with an id from which
//! any replica can go on later, though nobody keeps state for a reader.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};

use super::id::AttemptId;
use super::log::{LogBody, LogEntry, LogLine, LogStream};

/// The most bytes in one line; what is longer is cut into several, of which all but the last are partial.
pub const MAX_LINE: usize = 64 * 1024;

/// Puts a log's chunks together to lines.
///
/// A line's id is `p-n`: `p` is the latest position of the log after which no line was incomplete (0 at the
/// start), `n` how many lines came since, this one included. So a reader that has seen the line `p-n` goes on
/// by replaying the log after `p` through [`LineAssembler::after`] and skipping `n` lines.
///
/// A line is incomplete until its `\n`, or until its attempt ends, its step is followed by a later one, or a
/// later attempt speaks. At most a few lines of [`MAX_LINE`] bytes are held at a time.
#[derive(Debug, Default)]
pub struct LineAssembler {
    partial: BTreeMap<Source, Partial>,
    clean: u64,
    since: u64,
}

/// Where bytes come from. The order is that in which incomplete lines are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    attempt: AttemptId,
    step: Option<u32>,
    stream: u8,
}

#[derive(Debug)]
struct Partial {
    bytes: Vec<u8>,
    at: DateTime<Utc>,
    stream: LogStream,
}

impl LineAssembler {
    /// For a log read from its beginning.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For a log read after `position`, the first number of a line's id. Lines get the ids that a reader from
    /// the beginning gives them.
    #[must_use]
    pub fn after(position: u64) -> Self {
        Self { clean: position, ..Self::default() }
    }

    /// Takes the log's next entry, and gives the lines that it completes.
    pub fn push(&mut self, position: u64, entry: &LogEntry) -> Vec<LogLine> {
        let mut lines = Vec::new();
        match &entry.body {
            LogBody::Chunk { step, stream, data } => {
                let source = Source { attempt: entry.attempt, step: *step, stream: order(*stream) };
                self.flush(&mut lines, |s| {
                    s.attempt < entry.attempt
                        || s.attempt == entry.attempt && s.step.is_some() && step.is_some() && s.step < *step
                });
                self.take(source, *stream, entry.at, data, &mut lines);
            }
            LogBody::End => self.flush(&mut lines, |s| s.attempt <= entry.attempt),
        }
        if self.partial.is_empty() {
            self.clean = position;
            self.since = 0;
        }
        lines
    }

    /// The two numbers of a line's id: replay after the first, skip as many lines as the second says.
    #[must_use]
    pub fn parse_id(id: &str) -> Option<(u64, u64)> {
        let (position, lines) = id.split_once('-')?;
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if !digits(position) || !digits(lines) {
            return None;
        }
        Some((position.parse().ok()?, lines.parse().ok()?))
    }

    fn take(
        &mut self,
        source: Source,
        stream: LogStream,
        at: DateTime<Utc>,
        data: &[u8],
        lines: &mut Vec<LogLine>,
    ) {
        let mut partial = self.partial.remove(&source).unwrap_or(Partial { bytes: Vec::new(), at, stream });
        let mut rest = data;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let mut piece = &rest[..end.unwrap_or(rest.len())];
            rest = end.map_or(&[], |end| &rest[end + 1..]);
            while partial.bytes.len() + piece.len() > MAX_LINE {
                let (fits, more) = piece.split_at(MAX_LINE - partial.bytes.len());
                partial.bytes.extend_from_slice(fits);
                piece = more;
                let tail = partial.bytes.split_off(character_boundary(&partial.bytes));
                self.emit(source, &partial, false, lines);
                partial = Partial { bytes: tail, at, stream };
            }
            partial.bytes.extend_from_slice(piece);
            if end.is_some() {
                self.emit(source, &partial, true, lines);
                partial.bytes.clear();
                partial.at = at;
            }
        }
        if !partial.bytes.is_empty() {
            self.partial.insert(source, partial);
        }
    }

    fn flush(&mut self, lines: &mut Vec<LogLine>, which: impl Fn(&Source) -> bool) {
        let sources: Vec<Source> = self.partial.keys().filter(|s| which(s)).copied().collect();
        for source in sources {
            if let Some(partial) = self.partial.remove(&source) {
                self.emit(source, &partial, false, lines);
            }
        }
    }

    /// Emits a line, or the piece of one that no `\n` has ended.
    fn emit(&mut self, source: Source, partial: &Partial, ended: bool, lines: &mut Vec<LogLine>) {
        self.since += 1;
        let (line, bytes) = match std::str::from_utf8(&partial.bytes) {
            Ok(text) => (text.to_owned(), None),
            Err(_) => {
                let text = String::from_utf8_lossy(&partial.bytes).into_owned();
                (text, Some(BASE64_STANDARD.encode(&partial.bytes)))
            }
        };
        lines.push(LogLine {
            id: format!("{}-{}", self.clean, self.since),
            timestamp: partial.at,
            stream: partial.stream,
            line,
            bytes,
            partial: !ended,
            step: source.step,
            attempt: source.attempt.to_string(),
        });
    }
}

fn order(stream: LogStream) -> u8 {
    match stream {
        LogStream::Stdout => 0,
        LogStream::Stderr => 1,
        LogStream::System => 2,
    }
}

/// The end of the last whole character, or all of the bytes when they do not end in the beginning of one.
fn character_boundary(bytes: &[u8]) -> usize {
    let longest = 4.min(bytes.len());
    for back in 1..=longest {
        let at = bytes.len() - back;
        let needed = match bytes[at] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if needed > back { at } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests;
