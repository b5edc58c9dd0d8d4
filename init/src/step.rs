//! The step that runs: what is known of it until its end is told.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use orcaops_init::message::{End, StepEnd, StepStart};

use crate::oom;
use crate::sys::Reaped;

/// Why init itself ends a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    TimedOut,
    Cancelled,
}

/// A step whose process was started.
pub(crate) struct Step {
    index: u32,
    pid: u32,
    started: Instant,
    deadline: Option<Instant>,
    /// How long a timeout's polite signal is given to work.
    pub(crate) grace: Duration,
    oom_kills_before: u64,
    cpu_us: u64,
    max_rss_bytes: u64,
    ended: Option<(ExitStatus, Instant)>,
    verdict: Option<Verdict>,
    /// Whether the pipes have been told to give what was written up to the end.
    pub(crate) is_settling: bool,
}

impl Step {
    /// `started` and `oom_kills_before` are from just before the process was started.
    pub(crate) fn new(step: &StepStart, pid: u32, started: Instant, oom_kills_before: u64) -> Self {
        Self {
            index: step.index,
            pid,
            started,
            // A timeout beyond what the clock can hold is none.
            deadline: started.checked_add(Duration::from_millis(step.timeout_ms)),
            grace: Duration::from_millis(step.grace_ms),
            oom_kills_before,
            cpu_us: 0,
            max_rss_bytes: 0,
            ended: None,
            verdict: None,
            is_settling: false,
        }
    }

    /// Takes note of any process that was reaped while the step ran.
    pub(crate) fn reaped(&mut self, reaped: &Reaped, now: Instant) {
        self.cpu_us += reaped.cpu_us;
        self.max_rss_bytes = self.max_rss_bytes.max(reaped.max_rss_bytes);
        if reaped.pid == self.pid && self.ended.is_none() {
            self.ended = Some((reaped.status, now));
        }
    }

    /// When the step runs out of time; never once it has ended.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.is_open() { self.deadline } else { None }
    }

    /// Whether its process runs and nobody has decided to end it.
    pub(crate) fn is_open(&self) -> bool {
        self.ended.is_none() && self.verdict.is_none()
    }

    /// Init ends the step. One that has ended by itself has ended by itself.
    pub(crate) fn condemn(&mut self, verdict: Verdict) {
        if self.is_open() {
            self.verdict = Some(verdict);
        }
    }

    /// Whether only its output is still to be told. A condemned step is over when everything is.
    pub(crate) fn is_over(&self, everything_ended: bool) -> bool {
        if self.verdict.is_some() { everything_ended } else { self.ended.is_some() }
    }

    /// What to tell.
    pub(crate) fn end(&self, now: Instant) -> StepEnd {
        let (end, at) = match (self.verdict, self.ended) {
            (Some(Verdict::TimedOut), _) => (End::TimedOut, now),
            (Some(Verdict::Cancelled), _) | (None, None) => (End::Cancelled, now),
            (None, Some((status, at))) => (own_end(status), at),
        };
        StepEnd {
            index: self.index,
            end,
            oom_killed: oom::kills() > self.oom_kills_before,
            duration_us: u64::try_from(at.duration_since(self.started).as_micros()).unwrap_or(u64::MAX),
            cpu_us: self.cpu_us,
            max_rss_bytes: self.max_rss_bytes,
        }
    }
}

fn own_end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, Some(signal)) => End::Signaled(signal),
        (None, None) => End::Exited(status.into_raw()),
    }
}

/// The end of a step that never ran.
pub(crate) fn without_start(index: u32, end: End) -> StepEnd {
    StepEnd { index, end, oom_killed: false, duration_us: 0, cpu_us: 0, max_rss_bytes: 0 }
}
