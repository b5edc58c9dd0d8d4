//! When a log is at its end.

use std::time::Duration;

use orcaops_common::domain::id::AttemptId;
use tokio::time::Instant;

use super::start::LineId;
use super::streams::Source;

/// How long a run that has ended may still be followed by words that were under way.
const STRAGGLERS: Duration = Duration::from_secs(2);

/// How long the bus may take for an entry that it has. Longer means that the entry is gone, or that a client
/// asked for what follows a line that never was.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far a reader of the bus has come.
#[derive(Debug)]
pub(super) struct Look {
    /// The last position read.
    pub(super) position: u64,
    /// The last line sent.
    pub(super) line: LineId,
    /// Whether the end of the attempt that counts was read.
    pub(super) saw_end: bool,
    /// Whether the bus can't give what comes next, nor ever will.
    pub(super) broken: bool,
    heard: Instant,
    latest_end: Option<AttemptId>,
    ended_since: Option<Instant>,
}

impl Look {
    /// Nothing read yet after that line.
    pub(super) fn after(line: LineId) -> Self {
        Self {
            position: line.0,
            line,
            saw_end: false,
            broken: false,
            heard: Instant::now(),
            latest_end: None,
            ended_since: None,
        }
    }

    /// Entries came, and were sent.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// An attempt says no more.
    pub(super) fn end_of(&mut self, attempt: AttemptId) {
        self.latest_end = self.latest_end.max(Some(attempt));
    }

    /// Whether nothing more will come. What can't be found out now counts as no.
    pub(super) async fn is_over(&mut self, source: &Source) -> bool {
        let job = &source.job;
        let Ok(record) = source.store.run(job).await else { return false };
        // A run that was deleted says no more.
        let Some(record) = record else { return true };
        if !record.status.is_terminal() {
            self.ended_since = None;
            return false;
        }
        let Ok(current) = source.store.attempt(job).await else { return false };
        let current = current.map(|running| running.attempt);
        if current.is_some() && self.latest_end >= current {
            self.saw_end = true;
            return true;
        }
        let hopeless = self.broken || self.heard.elapsed() >= PATIENCE;
        let exhausted = hopeless || source.bus.log_end(job).await.is_ok_and(|end| end <= self.position);
        let since = *self.ended_since.get_or_insert_with(Instant::now);
        exhausted && (current.is_none() || since.elapsed() >= STRAGGLERS)
    }
}
