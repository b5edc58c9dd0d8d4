//! Exit codes. They are part of the command line's contract.

use orcaops_common::domain::run::{EndCause, JobStatus, RunRecord};

/// The job, or the command, succeeded.
pub(crate) const SUCCESS: u8 = 0;
/// What was checked is not right.
pub(crate) const NOT_VALID: u8 = 1;
/// Some of what was to be done was done, and not all.
pub(crate) const INCOMPLETE: u8 = 1;
/// The job, or one of its steps, ran out of time.
pub(crate) const TIMED_OUT: u8 = 124;
/// OrcaOps failed, not the job: wrong use, no engine, no server, no such image.
pub(crate) const OWN_FAILURE: u8 = 125;
/// The job was cancelled.
pub(crate) const CANCELLED: u8 = 130;
/// Added to the number of the signal that ended a service at once.
pub(crate) const SIGNAL_BASE: u8 = 128;

/// The exit code that `orcaops run` hands on from a job that has ended.
pub(crate) fn of(record: &RunRecord) -> u8 {
    match record.status {
        JobStatus::Success => SUCCESS,
        JobStatus::TimedOut => TIMED_OUT,
        JobStatus::Cancelled => CANCELLED,
        JobStatus::Failed => of_failure(record),
        // It has not ended, so nothing can be said about it.
        JobStatus::Queued | JobStatus::Running => OWN_FAILURE,
    }
}

/// The failing step's code, if a step is what failed.
fn of_failure(record: &RunRecord) -> u8 {
    let by_step = matches!(record.end_cause, None | Some(EndCause::Exit | EndCause::Signal | EndCause::Oom));
    let code = record.steps.last().map(|step| step.exit_code).filter(|code| by_step && *code != 0);
    // A process can hand on 8 bits; a failure must not become a success by losing the others.
    code.map_or(OWN_FAILURE, |code| u8::try_from(code).unwrap_or(OWN_FAILURE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    fn ended(status: JobStatus, end_cause: EndCause, code: Option<i32>) -> u8 {
        let mut record = sample::record(status);
        record.end_cause = Some(end_cause);
        record.steps.clear();
        record.steps.extend(code.map(sample::step));
        of(&record)
    }

    #[test]
    fn a_failing_steps_code_is_handed_on() {
        assert_eq!(ended(JobStatus::Failed, EndCause::Exit, Some(3)), 3);
        assert_eq!(ended(JobStatus::Failed, EndCause::Signal, Some(139)), 139);
        assert_eq!(ended(JobStatus::Failed, EndCause::Oom, Some(137)), 137);
    }

    #[test]
    fn a_failure_that_is_no_steps_is_orcaops_own() {
        assert_eq!(ended(JobStatus::Failed, EndCause::Image, None), OWN_FAILURE);
        assert_eq!(ended(JobStatus::Failed, EndCause::Artifacts, Some(0)), OWN_FAILURE);
        assert_eq!(ended(JobStatus::Failed, EndCause::Engine, Some(7)), OWN_FAILURE);
        assert_eq!(ended(JobStatus::Failed, EndCause::Exit, Some(256)), OWN_FAILURE);
    }

    #[test]
    fn every_other_end_has_its_own_code() {
        assert_eq!(ended(JobStatus::Success, EndCause::Exit, Some(0)), SUCCESS);
        assert_eq!(ended(JobStatus::TimedOut, EndCause::Ttl, Some(124)), TIMED_OUT);
        assert_eq!(ended(JobStatus::Cancelled, EndCause::Cancelled, Some(130)), CANCELLED);
    }
}
