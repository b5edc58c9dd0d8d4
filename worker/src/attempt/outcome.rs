//! What the ways an attempt can end mean for its job. Pure.

use orcaops_common::domain::event::{EventBody, Finished};
use orcaops_common::domain::job::JobCommand;
use orcaops_common::domain::retry::{Retry, RetryOn};
use orcaops_common::domain::run::{BuiltImage, EndCause, JobStatus};
use orcaops_init::message::{End, StepEnd};

use crate::engine::{EngineError, Failure};
use crate::registry::Stop;

/// Why an attempt can't go on.
#[derive(Debug)]
pub(crate) enum Interrupt {
    /// It was told to stop.
    Stopped(Stop),
    /// Something other than the job's own commands failed.
    Failed {
        /// Whose fault it is.
        failure: Failure,
        /// What happened, in words.
        reason: String,
    },
}

impl From<EngineError> for Interrupt {
    fn from(error: EngineError) -> Self {
        Self::Failed { failure: error.failure(), reason: error.to_string() }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// With a result, which is the job's.
    Finished {
        /// A terminal status.
        status: JobStatus,
        /// Why.
        end_cause: EndCause,
        /// What went wrong, in words.
        error: Option<String>,
    },
    /// Without one: the job is to be tried again.
    HandedBack {
        /// Whether only because the worker goes away.
        drain: bool,
        /// What happened, in words.
        reason: String,
    },
    /// Without a word: it counts no more.
    Silent,
}

impl Verdict {
    /// Every command exited with 0.
    pub(crate) fn success() -> Self {
        Self::Finished { status: JobStatus::Success, end_cause: EndCause::Exit, error: None }
    }

    /// A failure of that cause.
    pub(crate) fn failed(end_cause: EndCause, error: impl Into<String>) -> Self {
        Self::Finished { status: JobStatus::Failed, end_cause, error: Some(error.into()) }
    }

    /// What went wrong, in words.
    pub(crate) fn error(&self) -> Option<&str> {
        match self {
            Self::Finished { error, .. } => error.as_deref(),
            Self::HandedBack { reason, .. } => Some(reason),
            Self::Silent => None,
        }
    }

    /// This verdict, its words changed.
    pub(crate) fn map_words(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Finished { status, end_cause, error } => {
                Self::Finished { status, end_cause, error: error.map(change) }
            }
            Self::HandedBack { drain, reason } => Self::HandedBack { drain, reason: change(reason) },
            Self::Silent => Self::Silent,
        }
    }

    /// This verdict, or the job handed back where its spec wants it tried again after such a result.
    pub(crate) fn or_again(self, retry: &Retry) -> Self {
        let cause = match &self {
            Self::Finished {
                status: JobStatus::Failed,
                end_cause: EndCause::Exit | EndCause::Signal | EndCause::Oom,
                ..
            } => RetryOn::Failure,
            Self::Finished { end_cause: EndCause::Timeout, .. } => RetryOn::Timeout,
            _ => return self,
        };
        match self {
            Self::Finished { error: Some(reason), .. } if retry.is_on(cause) => {
                Self::HandedBack { drain: false, reason }
            }
            other => other,
        }
    }

    /// What an attempt that was told to stop reports.
    pub(crate) fn stopped(why: Stop, ttl_seconds: u32) -> Self {
        match why {
            Stop::Cancelled => Self::Finished {
                status: JobStatus::Cancelled,
                end_cause: EndCause::Cancelled,
                error: Some("cancelled by a user".to_owned()),
            },
            Stop::Ttl => Self::Finished {
                status: JobStatus::TimedOut,
                end_cause: EndCause::Ttl,
                error: Some(format!("the job ran over its ttl_seconds of {ttl_seconds}")),
            },
            Stop::Drain => Self::HandedBack { drain: true, reason: "its worker is shutting down".to_owned() },
            Stop::Superseded | Stop::LeaseLost => Self::Silent,
        }
    }

    /// What an interrupted attempt reports. `last` says that no attempt is left after it.
    pub(crate) fn interrupted(interrupt: Interrupt, last: bool, ttl_seconds: u32) -> Self {
        match interrupt {
            Interrupt::Stopped(why) => Self::stopped(why, ttl_seconds),
            Interrupt::Failed { failure: Failure::Permanent(cause), reason } => Self::failed(cause, reason),
            Interrupt::Failed { failure: Failure::Transient(cause), reason } if last => {
                Self::failed(cause, reason)
            }
            Interrupt::Failed { failure: Failure::Transient(_), reason } => {
                Self::HandedBack { drain: false, reason }
            }
        }
    }

    /// What an attempt's steps lead to: `None` while they succeed.
    pub(crate) fn of_step(end: &StepEnd, command: &JobCommand, stop: Option<Stop>, ttl: u32) -> Option<Self> {
        let timeout_seconds = command.timeout_seconds;
        let step = match &command.name {
            Some(name) => format!("{} ({name})", end.index + 1),
            None => (end.index + 1).to_string(),
        };
        let cause = |own| if end.oom_killed { EndCause::Oom } else { own };
        let oom = if end.oom_killed { ", after the kernel killed a process for want of memory" } else { "" };
        match &end.end {
            End::Exited(code) if command.is_success(*code) => None,
            End::Exited(code) => {
                Some(Self::failed(cause(EndCause::Exit), format!("step {step} exited with code {code}{oom}")))
            }
            End::Signaled(signal) => Some(Self::failed(
                cause(EndCause::Signal),
                format!("step {step} was ended by signal {signal}{oom}"),
            )),
            End::TimedOut => Some(Self::Finished {
                status: JobStatus::TimedOut,
                end_cause: EndCause::Timeout,
                error: Some(format!("step {step} ran over its timeout_seconds of {timeout_seconds}")),
            }),
            // Only this worker asks init to cancel, and only when it was told to stop.
            End::Cancelled => Some(Self::stopped(stop.unwrap_or(Stop::Cancelled), ttl)),
            End::NotStarted { error, .. } => {
                Some(Self::failed(EndCause::Exit, format!("step {step} could not be started: {error}")))
            }
        }
    }

    /// The event that says it, if any is to be sent.
    pub(crate) fn event(
        &self,
        steps: u32,
        artifacts: u32,
        notes: &[String],
        built_image: Option<BuiltImage>,
    ) -> Option<EventBody> {
        match self {
            Self::Finished { status, end_cause, error } => Some(EventBody::Finished(Finished {
                status: *status,
                end_cause: *end_cause,
                error: error.clone(),
                steps,
                artifacts,
                notes: notes.to_vec(),
                built_image,
            })),
            Self::HandedBack { drain, reason } => {
                Some(EventBody::HandedBack { drain: *drain, reason: reason.clone() })
            }
            Self::Silent => None,
        }
    }
}

/// The exit code that a step's end is recorded with, and the signal that ended it.
pub(crate) fn exit_code(end: &End, stop: Option<Stop>) -> (i32, Option<i32>) {
    match end {
        End::Exited(code) => (*code, None),
        End::Signaled(signal) => (128 + signal, Some(*signal)),
        End::TimedOut => (124, None),
        End::Cancelled if stop == Some(Stop::Ttl) => (124, None),
        End::Cancelled => (130, None),
        End::NotStarted { code, .. } => (*code, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(end: End, oom_killed: bool) -> StepEnd {
        StepEnd { index: 0, end, oom_killed, duration_us: 0, cpu_us: 0, max_rss_bytes: 0 }
    }

    fn cause(end: &StepEnd, stop: Option<Stop>) -> Option<(JobStatus, EndCause)> {
        let command = JobCommand { timeout_seconds: 5, ..JobCommand::shell("true") };
        match Verdict::of_step(end, &command, stop, 60) {
            Some(Verdict::Finished { status, end_cause, .. }) => Some((status, end_cause)),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_step_fails_its_job_with_the_cause_of_its_end() {
        use EndCause as C;
        use JobStatus as S;
        assert_eq!(cause(&end(End::Exited(0), false), None), None);
        assert_eq!(cause(&end(End::Exited(3), false), None), Some((S::Failed, C::Exit)));
        assert_eq!(cause(&end(End::Exited(137), true), None), Some((S::Failed, C::Oom)));
        assert_eq!(cause(&end(End::Signaled(9), true), None), Some((S::Failed, C::Oom)));
        assert_eq!(cause(&end(End::Signaled(15), false), None), Some((S::Failed, C::Signal)));
        assert_eq!(cause(&end(End::TimedOut, false), None), Some((S::TimedOut, C::Timeout)));
        assert_eq!(cause(&end(End::Cancelled, false), Some(Stop::Ttl)), Some((S::TimedOut, C::Ttl)));
        assert_eq!(
            cause(&end(End::Cancelled, false), Some(Stop::Cancelled)),
            Some((S::Cancelled, C::Cancelled))
        );
    }

    #[test]
    fn a_step_that_survived_the_kill_of_a_child_is_a_success() {
        assert_eq!(cause(&end(End::Exited(0), true), None), None);
    }

    #[test]
    fn a_transient_failure_ends_the_job_only_in_its_last_attempt() {
        let failed = || Interrupt::Failed {
            failure: Failure::Transient(EndCause::Image),
            reason: "no route".to_owned(),
        };
        let handed_back = Verdict::HandedBack { drain: false, reason: "no route".to_owned() };
        assert_eq!(Verdict::interrupted(failed(), false, 60), handed_back);
        assert_eq!(Verdict::interrupted(failed(), true, 60), Verdict::failed(EndCause::Image, "no route"));
    }

    #[test]
    fn a_job_is_tried_again_only_after_what_its_spec_names() {
        let failed = || Verdict::failed(EndCause::Exit, "step 1 exited with code 1");
        let timed_out = || Verdict::Finished {
            status: JobStatus::TimedOut,
            end_cause: EndCause::Timeout,
            error: Some("slow".to_owned()),
        };
        let again = |reason: &str| Verdict::HandedBack { drain: false, reason: reason.to_owned() };
        let on = |on: &[RetryOn]| Retry { on: on.to_vec(), ..Retry::default() };
        let (failure, timeout) = (on(&[RetryOn::Failure]), on(&[RetryOn::Timeout]));
        assert_eq!(failed().or_again(&failure), again("step 1 exited with code 1"));
        assert_eq!(failed().or_again(&timeout), failed());
        assert_eq!(timed_out().or_again(&timeout), again("slow"));
        assert_eq!(timed_out().or_again(&failure), timed_out());
        let all = on(&[RetryOn::Infrastructure, RetryOn::Failure, RetryOn::Timeout]);
        for kept in [
            Verdict::success(),
            Verdict::stopped(Stop::Ttl, 60),
            Verdict::stopped(Stop::Cancelled, 60),
            Verdict::failed(EndCause::Artifacts, "not stored"),
            Verdict::Silent,
        ] {
            assert_eq!(kept.clone().or_again(&all), kept);
        }
    }

    #[test]
    fn an_exit_code_that_the_step_names_is_a_success() {
        let command = JobCommand { success_exit_codes: vec![3], ..JobCommand::shell("exit 3") };
        let verdict = |code| Verdict::of_step(&end(End::Exited(code), false), &command, None, 60);
        assert_eq!(verdict(3), None);
        assert!(matches!(verdict(0), Some(Verdict::Finished { status: JobStatus::Failed, .. })));
    }

    #[test]
    fn an_attempt_that_lost_its_lease_says_nothing() {
        let lost = Interrupt::Stopped(Stop::LeaseLost);
        assert_eq!(Verdict::interrupted(lost, true, 60).event(0, 0, &[], None), None);
    }
}
