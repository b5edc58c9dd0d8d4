//! A user's wish to cancel a run.

use chrono::{DateTime, Utc};

use super::Cancelled;
use super::changes::{Changes, Outcome};
use super::held::HeldRun;
use super::stamp::Stamp;
use crate::domain::run::{EndCause, JobStatus};
use crate::domain::state::{CancelDecision, decide_cancel};

/// What the wish does, and what is to be written. The first wish counts.
pub(super) fn cancel(mut run: HeldRun, at: DateTime<Utc>) -> (Cancelled, Changes) {
    let at = Stamp::from(at);
    let decision = decide_cancel(run.status);
    match decision {
        CancelDecision::Cancelled => {
            run.cancel_requested_at.get_or_insert(at);
            run.end(JobStatus::Cancelled, EndCause::Cancelled, None, at);
        }
        CancelDecision::Requested => {
            run.cancel_requested_at.get_or_insert(at);
        }
        CancelDecision::AlreadyTerminal => {}
    }
    let running = match decision {
        CancelDecision::Requested => run.worker.clone().zip(run.current),
        CancelDecision::Cancelled | CancelDecision::AlreadyTerminal => None,
    };
    let cancelled = Cancelled { decision, status: run.status, running };
    let runs = if decision == CancelDecision::AlreadyTerminal { Vec::new() } else { vec![run] };
    (cancelled, Changes { runs, ..Changes::default() })
}

/// Ends a run that its worker will never end, as its user wished.
pub(super) fn end_unheard(mut run: HeldRun, changes: &mut Changes) {
    let at = run.now;
    changes.end_current(&run, Outcome::Cancelled, None, at);
    run.end(JobStatus::Cancelled, EndCause::Cancelled, None, at);
    changes.runs.push(run);
}
