//! The state machine: the one place that says what an event does to a run.
//!
//! ```text
//! queued → running → success | failed | timed_out | cancelled
//!   ↑________|  only by an attempt that was handed back
//! ```
//! Stores call [`decide`] inside the transaction that applies its answer; nothing else sets a status.

use serde::{Deserialize, Serialize};

use super::event::EventBody;
use super::id::AttemptId;
use super::run::JobStatus;

/// What the machine needs to know of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunState {
    /// Where it stands.
    pub status: JobStatus,
    /// The attempt that counts: the latest one that has spoken.
    pub attempt: Option<AttemptId>,
    /// Whether a user asked to cancel it while it was running.
    pub cancel_requested: bool,
}

/// Why an event counts for nothing and its worker should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A later attempt has spoken, or this one was handed back.
    Stale,
    /// The job has ended.
    Final,
    /// The job was cancelled; this very event found it out.
    Cancelled,
    /// There is no such job.
    Unknown,
}

/// What an event does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It counts. The run's status and attempt become these (they may be what they were).
    Apply {
        /// The run's status from now on.
        status: JobStatus,
        /// The attempt that counts from now on.
        attempt: AttemptId,
    },
    /// The attempt is over, and with it the job: a user had asked to cancel it.
    Cancel {
        /// The attempt that counts from now on.
        attempt: AttemptId,
    },
    /// It was applied before.
    Duplicate,
    /// It counts for nothing.
    Refuse(Refusal),
}

/// Says what `event`, spoken by `attempt`, does to a run in `state`.
///
/// Events that only add a row (a step, artifacts, a container) are applied whenever their attempt is the one
/// that counts; the store's keys make a repetition harmless. An attempt whose `Started` was lost is started
/// by whatever it says first.
#[must_use]
pub fn decide(state: &RunState, attempt: AttemptId, event: &EventBody) -> Decision {
    let current = state.attempt.is_some_and(|c| c == attempt);
    let stale = state.attempt.is_some_and(|c| attempt < c);
    let terminal = state.status.is_terminal();
    // The current attempt of a queued run was handed back: it is over.
    let over = current && state.status == JobStatus::Queued;

    match event {
        EventBody::Cleaned { .. } if current => Decision::Apply { status: state.status, attempt },
        EventBody::Cleaned { .. } => Decision::Refuse(if stale { Refusal::Stale } else { Refusal::Final }),
        _ if stale || over => Decision::Refuse(Refusal::Stale),
        EventBody::Started => match (terminal, current) {
            (true, _) => Decision::Refuse(Refusal::Final),
            (false, true) => Decision::Duplicate,
            (false, false) if state.cancel_requested => Decision::Cancel { attempt },
            (false, false) => Decision::Apply { status: JobStatus::Running, attempt },
        },
        EventBody::ContainerCreated { .. }
        | EventBody::StepEnded { .. }
        | EventBody::ArtifactsStored { .. } => match (terminal, current) {
            (true, false) => Decision::Refuse(Refusal::Final),
            (true, true) => Decision::Apply { status: state.status, attempt },
            (false, false) if state.cancel_requested => Decision::Cancel { attempt },
            (false, _) => Decision::Apply { status: JobStatus::Running, attempt },
        },
        EventBody::Finished(finished) => match (terminal, current) {
            (true, true) => Decision::Duplicate,
            (true, false) => Decision::Refuse(Refusal::Final),
            // No worker may put a run back to queued or running by a result.
            (false, _) if !finished.status.is_terminal() => {
                Decision::Apply { status: JobStatus::Failed, attempt }
            }
            (false, _) => Decision::Apply { status: finished.status, attempt },
        },
        EventBody::HandedBack { .. } => match (terminal, state.cancel_requested) {
            (true, _) => Decision::Refuse(Refusal::Final),
            (false, true) => Decision::Cancel { attempt },
            (false, false) => Decision::Apply { status: JobStatus::Queued, attempt },
        },
    }
}

/// What a user's wish to cancel does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelDecision {
    /// It was queued: it is cancelled now.
    Cancelled,
    /// It is running: its worker must be told.
    Requested,
    /// It had ended before; nothing changes.
    AlreadyTerminal,
}

/// Says what a user's wish to cancel does to a run of that status.
#[must_use]
pub fn decide_cancel(status: JobStatus) -> CancelDecision {
    match status {
        JobStatus::Queued => CancelDecision::Cancelled,
        JobStatus::Running => CancelDecision::Requested,
        JobStatus::Success | JobStatus::Failed | JobStatus::TimedOut | JobStatus::Cancelled => {
            CancelDecision::AlreadyTerminal
        }
    }
}

#[cfg(test)]
mod tests;
