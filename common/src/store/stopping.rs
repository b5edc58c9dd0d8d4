//! What a worker should no longer run.

use super::changes::Outcome;
use super::failure::Failure;
use super::held::HeldRun;
use super::rows::OutcomeRow;
use crate::domain::control::{RunningAttempt, StopAttempt, StopReason};
use crate::domain::run::JobStatus;

/// Of the attempts that a worker has in hand, those that it should stop.
pub(super) fn to_stop(
    held: &[RunningAttempt],
    runs: &[HeldRun],
    outcomes: Vec<OutcomeRow>,
) -> Result<Vec<StopAttempt>, Failure> {
    let outcomes = outcomes.into_iter().map(OutcomeRow::into_outcome).collect::<Result<Vec<_>, _>>()?;
    let stop = held.iter().filter_map(|attempt| {
        let run = runs.iter().find(|run| run.job_id == attempt.job_id);
        let outcome = outcomes.iter().find(|(ended, _)| ended == attempt).map(|(_, outcome)| *outcome);
        Some(StopAttempt {
            job_id: attempt.job_id.clone(),
            attempt: Some(attempt.attempt),
            reason: reason(attempt, run, outcome)?,
        })
    });
    Ok(stop.collect())
}

fn reason(attempt: &RunningAttempt, run: Option<&HeldRun>, outcome: Option<Outcome>) -> Option<StopReason> {
    let Some(run) = run else { return Some(StopReason::Superseded) };
    match outcome {
        // Its worker said so itself, and is clearing up.
        Some(Outcome::Finished | Outcome::HandedBack) => None,
        _ if run.status == JobStatus::Cancelled => Some(StopReason::Cancelled),
        Some(Outcome::Superseded | Outcome::Lost) => Some(StopReason::Superseded),
        _ if run.status.is_terminal() || run.outranks(attempt.attempt) => Some(StopReason::Superseded),
        _ if run.cancel_requested_at.is_some() => Some(StopReason::Cancelled),
        Some(Outcome::Cancelled) | None => None,
    }
}
