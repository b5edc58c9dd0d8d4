//! Where a stream begins.

use std::collections::VecDeque;

use chrono::Utc;
use orcaops_common::domain::id::AttemptId;
use orcaops_common::domain::lines::LineAssembler;
use orcaops_common::domain::log::{LogBody, LogEntry, LogFilter, LogLine};

/// No log comes this far; a client's word for a position is not passed on unseen.
const MAX_POSITION: u64 = i64::MAX as u64 - 1;

/// A line's id, in order: a position in the log, and how many lines were emitted since.
pub(super) type LineId = (u64, u64);

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// With the last so many lines.
    Tail(usize),
    /// Right after this line.
    After(LineId),
}

impl Start {
    /// With the first line.
    pub(crate) const BEGINNING: Self = Self::After((0, 0));

    /// Right after the line of that id, if it is one.
    pub(crate) fn after(id: &str) -> Option<Self> {
        LineAssembler::parse_id(id).filter(|(position, _)| *position <= MAX_POSITION).map(Self::After)
    }
}

/// What a client wants to have of a log.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Where it begins; a tail counts only lines that the filter lets pass.
    pub(crate) start: Start,
    /// Which lines.
    pub(crate) filter: LogFilter,
    /// How they are written.
    pub(crate) format: Format,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As server-sent events.
    Events,
    /// As JSON, a line each.
    Json,
    /// As the bytes that the job wrote.
    Text,
}

/// The id of a line.
pub(super) fn id_of(line: &LogLine) -> LineId {
    LineAssembler::parse_id(&line.id).unwrap_or_default()
}

/// Keeps the ids of the last lines seen, to know where the last `tail` of them begin. Ids only: the lines
/// themselves may be large, and are read again.
pub(super) struct Tail {
    tail: usize,
    before: VecDeque<LineId>,
}

impl Tail {
    pub(super) fn new(tail: usize) -> Self {
        Self { tail, before: VecDeque::from([(0, 0)]) }
    }

    pub(super) fn saw(&mut self, line: LineId) {
        self.before.push_back(line);
        while self.before.len() > self.tail + 1 {
            self.before.pop_front();
        }
    }

    /// The id after which the last `tail` lines come.
    pub(super) fn start(&self) -> LineId {
        self.before.front().copied().unwrap_or_default()
    }
}

/// Makes lines of a log read from the middle, with the ids that a reader from the beginning gives them.
pub(super) struct Resumed {
    assembler: LineAssembler,
    skip: u64,
    attempt: Option<AttemptId>,
}

impl Resumed {
    /// For a log read after position `after.0`; the first `after.1` lines are known already.
    pub(super) fn new(after: LineId) -> Self {
        Self { assembler: LineAssembler::after(after.0), skip: after.1, attempt: None }
    }

    /// The lines that lack their end, when nothing more will come after this position.
    pub(super) fn finish(&mut self, position: u64) -> Vec<LogLine> {
        match self.attempt {
            Some(attempt) => self.push(position, &LogEntry { attempt, at: Utc::now(), body: LogBody::End }),
            None => Vec::new(),
        }
    }

    /// The lines that this entry completes.
    pub(super) fn push(&mut self, position: u64, entry: &LogEntry) -> Vec<LogLine> {
        self.attempt = Some(entry.attempt);
        let mut lines = self.assembler.push(position, entry);
        if self.skip > 0 {
            let known = lines.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            lines.drain(..known);
            self.skip -= known as u64;
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_starts_before_the_last_lines_or_at_the_beginning() {
        let start = |tail, lines: u64| {
            let mut seen = Tail::new(tail);
            (1..=lines).for_each(|n| seen.saw((0, n)));
            seen.start()
        };
        assert_eq!(start(3, 10), (0, 7));
        assert_eq!(start(3, 3), (0, 0));
        assert_eq!(start(3, 0), (0, 0));
        assert_eq!(start(0, 5), (0, 5));
    }
}
