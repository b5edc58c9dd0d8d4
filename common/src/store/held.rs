//! A run while something is decided about it: what the state machine, the fences and the retries need.

use std::time::Duration;

use sqlx::types::Json;

use super::failure::Failure;
use super::rows::{attempt_id, named, number};
use super::stamp::Stamp;
use crate::domain::event::Event;
use crate::domain::id::{AttemptId, JobId, WorkerName};
use crate::domain::message::JobMessage;
use crate::domain::retry::{Retry, RetryOn};
use crate::domain::run::{BuiltImage, CleanupStatus, EndCause, JobStatus};
use crate::domain::state::RunState;

/// The columns of a run that events and dispatches change, and those that say how.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct HeldRow {
    job_id: String,
    status: String,
    current_dispatch: Option<i64>,
    current_delivery: Option<i64>,
    attempt: i64,
    worker: Option<String>,
    sandbox_id: Option<String>,
    cleanup_status: Option<String>,
    ttl_seconds: i64,
    started_at: Option<Stamp>,
    ttl_expiry: Option<Stamp>,
    finished_at: Option<Stamp>,
    end_cause: Option<String>,
    error: Option<String>,
    cancel_requested_at: Option<Stamp>,
    generation: String,
    dispatch: i64,
    attempts_spent: i64,
    max_attempts: i64,
    retry: Json<Retry>,
    queued_at: Stamp,
    not_before: Option<Stamp>,
    published_at: Option<Stamp>,
    notes: Json<Vec<String>>,
    built_image: Option<Json<BuiltImage>>,
    now: Stamp,
}

/// A run that its transaction holds.
#[derive(Debug, Clone)]
pub(super) struct HeldRun {
    pub(super) job_id: JobId,
    pub(super) status: JobStatus,
    /// The attempt that last spoke.
    pub(super) current: Option<AttemptId>,
    /// Its number.
    pub(super) number: u32,
    pub(super) worker: Option<WorkerName>,
    pub(super) sandbox_id: Option<String>,
    pub(super) cleanup: Option<CleanupStatus>,
    pub(super) started_at: Option<Stamp>,
    pub(super) ttl_expiry: Option<Stamp>,
    pub(super) finished_at: Option<Stamp>,
    pub(super) end_cause: Option<EndCause>,
    pub(super) error: Option<String>,
    pub(super) cancel_requested_at: Option<Stamp>,
    pub(super) generation: String,
    pub(super) dispatch: u32,
    /// Attempts spent before the present dispatch.
    pub(super) attempts_spent: u32,
    pub(super) queued_at: Stamp,
    pub(super) not_before: Option<Stamp>,
    pub(super) published_at: Option<Stamp>,
    pub(super) notes: Vec<String>,
    pub(super) built_image: Option<BuiltImage>,
    /// When it was read, by the database's clock.
    pub(super) now: Stamp,
    ttl_seconds: u32,
    max_attempts: u32,
    retry: Retry,
}

impl TryFrom<HeldRow> for HeldRun {
    type Error = Failure;

    fn try_from(row: HeldRow) -> Result<Self, Failure> {
        Ok(Self {
            status: named("status", &row.status, JobStatus::parse)?,
            current: attempt_id(row.current_dispatch, row.current_delivery)?,
            number: number("attempt", row.attempt)?,
            worker: row.worker.map(|w| named("worker", &w, |w| WorkerName::new(w).ok())).transpose()?,
            sandbox_id: row.sandbox_id,
            cleanup: row
                .cleanup_status
                .map(|s| named("cleanup_status", &s, CleanupStatus::parse))
                .transpose()?,
            started_at: row.started_at,
            ttl_expiry: row.ttl_expiry,
            finished_at: row.finished_at,
            end_cause: row.end_cause.map(|c| named("end_cause", &c, EndCause::parse)).transpose()?,
            error: row.error,
            cancel_requested_at: row.cancel_requested_at,
            generation: row.generation,
            dispatch: number("dispatch", row.dispatch)?,
            attempts_spent: number("attempts_spent", row.attempts_spent)?,
            queued_at: row.queued_at,
            not_before: row.not_before,
            published_at: row.published_at,
            notes: row.notes.0,
            built_image: row.built_image.map(|image| image.0),
            retry: row.retry.0,
            now: row.now,
            ttl_seconds: number("ttl_seconds", row.ttl_seconds)?,
            max_attempts: number("max_attempts", row.max_attempts)?,
            job_id: named("job_id", &row.job_id, |id| JobId::new(id).ok())?,
        })
    }
}

impl HeldRun {
    /// The run as the state machine sees it when `speaker` speaks.
    pub(super) fn state(&self, speaker: AttemptId) -> RunState {
        RunState {
            status: self.status,
            attempt: self.outranking(speaker),
            cancel_requested: self.cancel_requested_at.is_some(),
        }
    }

    /// Whether `attempt` counts no more, because a later one has spoken or its dispatch was taken back.
    pub(super) fn outranks(&self, attempt: AttemptId) -> bool {
        self.outranking(attempt).is_some_and(|counting| attempt < counting)
    }

    /// The attempt that `speaker` is measured against. Attempts of earlier dispatches are over even when none
    /// of them ever spoke: otherwise one could take the number of an attempt that is under way.
    fn outranking(&self, speaker: AttemptId) -> Option<AttemptId> {
        if self.current == Some(speaker) {
            return self.current;
        }
        let earlier =
            (self.dispatch > 1).then(|| AttemptId { dispatch: self.dispatch - 1, delivery: u32::MAX });
        self.current.max(earlier)
    }

    /// Makes the attempt that speaks the one that counts.
    pub(super) fn begin(&mut self, event: &Event) {
        let attempt = event.attempt;
        // The bus may know of dispatches that the database forgot, when it was restored from a backup.
        self.dispatch = self.dispatch.max(attempt.dispatch);
        self.current = Some(attempt);
        self.number = self.attempts_spent.saturating_add(attempt.delivery);
        self.worker = Some(event.worker.clone());
        self.sandbox_id = None;
        self.cleanup = None;
        if self.started_at.is_none() {
            let started = Stamp::from(event.at);
            self.started_at = Some(started);
            self.ttl_expiry = Some(started.plus(Duration::from_secs(self.ttl_seconds.into())));
        }
    }

    /// The current attempt, which is over without a result, as spent.
    pub(super) fn spent_with_current(&self) -> u32 {
        self.attempts_spent.saturating_add(self.current.map_or(0, |a| a.delivery))
    }

    /// The current attempt, which is over without a result, as never made. Those that fell silent before it
    /// in the same dispatch stay spent.
    pub(super) fn spent_without_current(&self) -> u32 {
        self.attempts_spent.saturating_add(self.current.map_or(0, |a| a.delivery.saturating_sub(1)))
    }

    /// Whether no attempt is left once so many are spent.
    pub(super) fn exhausted_by(&self, spent: u32) -> bool {
        spent >= self.max_attempts
    }

    /// Whether the job is not to be tried again when an attempt is lost with its bus, so many being spent then.
    pub(super) fn is_lost_for_good(&self, spent: u32) -> bool {
        self.exhausted_by(spent) || !self.retry.is_on(RetryOn::Infrastructure)
    }

    /// Puts the run back into the queue with its next dispatch.
    pub(super) fn requeue(&mut self, spent: u32, wait: Wait) {
        let now = self.now;
        self.status = JobStatus::Queued;
        self.dispatch = self.dispatch.saturating_add(1);
        self.attempts_spent = spent;
        self.queued_at = now;
        self.published_at = None;
        self.not_before = Some(match wait {
            Wait::None => now,
            Wait::Backoff => now.plus(self.retry.backoff.pause(spent)),
        });
    }

    /// Ends the run.
    pub(super) fn end(&mut self, status: JobStatus, cause: EndCause, error: Option<String>, at: Stamp) {
        self.status = status;
        self.end_cause = Some(cause);
        self.error = error;
        self.finished_at = Some(at);
        if self.sandbox_id.is_none() && self.cleanup.is_none() {
            self.cleanup = Some(CleanupStatus::Destroyed);
        }
    }
}

/// How long a run that is put back waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    None,
    Backoff,
}

/// What a message to a worker is made of.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct MessageRow {
    job_id: String,
    pool: String,
    dispatch: i64,
    attempts_spent: i64,
    max_attempts: i64,
    ttl_expiry: Option<Stamp>,
    spec: sqlx::types::Json<crate::domain::job::JobSpec>,
}

impl TryFrom<MessageRow> for JobMessage {
    type Error = Failure;

    fn try_from(row: MessageRow) -> Result<Self, Failure> {
        Ok(Self {
            job_id: named("job_id", &row.job_id, |id| JobId::new(id).ok())?,
            pool: named("pool", &row.pool, |p| p.parse().ok())?,
            dispatch: number("dispatch", row.dispatch)?,
            attempts_spent: number("attempts_spent", row.attempts_spent)?,
            max_attempts: number("max_attempts", row.max_attempts)?,
            ttl_expiry: row.ttl_expiry.map(Stamp::time),
            spec: row.spec.0,
        })
    }
}
