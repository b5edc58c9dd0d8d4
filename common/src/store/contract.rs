//! What the API may expect of a store, whatever holds it.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::domain::control::{Heartbeat, RunningAttempt, StopAttempt};
use crate::domain::event::Event;
use crate::domain::id::{AttemptId, JobId, PoolName, WorkerName};
use crate::domain::job::JobSpec;
use crate::domain::message::JobMessage;
use crate::domain::placement::CleanupPolicy;
use crate::domain::run::{JobStatus, RunRecord};
use crate::domain::state::{CancelDecision, Refusal};

/// Holds runs, attempts, steps, artifacts' metadata, workers and leases.
///
/// Guarantees that all implementations share, and the conformance suite checks:
/// - `Ok` means durable: it survives the end of the process and of the machine.
/// - Every method is atomic, and safe to call from several processes at once.
/// - What an event does is decided by [`decide`](crate::domain::state::decide) inside the transaction that
///   applies it. A terminal status never changes. An event applied twice counts once.
/// - Leases, backoff and staleness are judged by the database's clock.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Whether the database can be reached now; its address is in the error.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Accepts a job: a run in `queued`, at dispatch 1 of `generation`, not yet published. When the id is
    /// taken nothing changes. Of any number of concurrent submissions of one id, exactly one is `Created`.
    async fn submit(&self, run: &NewRun) -> Result<Submission, StoreError>;

    /// Accepts those jobs whose ids are free, as [`Store::submit`] does but with one commit, and says of each
    /// whether it is new. Of several with one id, one is.
    async fn submit_new(&self, runs: &[NewRun]) -> Result<Vec<bool>, StoreError>;

    /// A run with its current attempt's steps and artifacts.
    async fn run(&self, job: &JobId) -> Result<Option<RunRecord>, StoreError>;

    /// A page of runs, newest first by `(created_at, job_id)`, with their steps and artifacts. Walked by
    /// `after`, a page misses no run and repeats none while runs arrive.
    async fn runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError>;

    /// How many runs have that status, or exist at all.
    async fn count(&self, status: Option<JobStatus>) -> Result<u64, StoreError>;

    /// Applies events in order, in one transaction, and says of each what became of it.
    ///
    /// A `Finished` whose attempt still lacks announced steps or artifacts is [`Recorded::Early`] and changes
    /// nothing, unless `accept_gaps`. Applying `HandedBack` puts the run back to `queued` with its next
    /// dispatch, unpublished, not before the backoff of its spec's `retry` is over, and spends an attempt; a drain
    /// spends none and need not wait. With no attempt left the run ends as `failed`. A new attempt that
    /// replaces a silent one spends it.
    async fn record(&self, events: &[Event], accept_gaps: bool) -> Result<Vec<Recorded>, StoreError>;

    /// A user's wish to cancel. Also says which worker has the current attempt.
    async fn cancel(&self, job: &JobId, at: DateTime<Utc>) -> Result<Option<Cancelled>, StoreError>;

    /// Notes a worker's heartbeat, and answers which of its attempts it should no longer run.
    async fn heartbeat(&self, beat: &Heartbeat) -> Result<Vec<StopAttempt>, StoreError>;

    /// Workers whose last heartbeat is younger than `within`.
    async fn workers(&self, within: Duration) -> Result<Vec<WorkerRow>, StoreError>;

    /// Takes or renews a named lease for `holder`; `false` when somebody else holds it.
    async fn lease(&self, name: &str, holder: &str, duration: Duration) -> Result<bool, StoreError>;

    /// Gives up a lease.
    async fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError>;

    /// Runs that must be put on the bus now, oldest first, as messages ready to publish:
    /// - queued under `generation` and unpublished, `grace` after their submission, or with no backoff left;
    /// - not terminal, under another generation that nobody keeps alive (no unexpired lease named
    ///   `generation_lease(that generation)`): these get their next dispatch, under `generation`, first.
    ///   A running attempt that is lost this way is spent; when none is left, or the spec's `retry` is not for
    ///   that, the run ends as `failed`, cause `lost`, and is not returned.
    async fn due(&self, generation: &str, grace: Duration, limit: u32)
    -> Result<Vec<JobMessage>, StoreError>;

    /// Notes that these dispatches of jobs are on the bus. A dispatch that is no longer the present one is
    /// passed over.
    async fn published(&self, jobs: &[(JobId, u32)]) -> Result<(), StoreError>;

    /// The message that puts a run's present dispatch on the bus; `None` once the run has ended.
    async fn message(&self, job: &JobId) -> Result<Option<JobMessage>, StoreError>;

    /// Terminal runs whose files are not mirrored yet, oldest first, with the attempt that counts: those
    /// under `generation` and those whose generation nobody keeps alive.
    async fn unmirrored(
        &self,
        generation: &str,
        limit: u32,
    ) -> Result<Vec<(JobId, Option<AttemptId>)>, StoreError>;

    /// Notes that a run's files are mirrored.
    async fn mirrored(&self, job: &JobId) -> Result<(), StoreError>;

    /// Ends as cancelled those running runs that a user asked to cancel longer than `silent_for` ago, and whose
    /// worker has not been heard of for as long: it is dead, and its container with it. At most `limit`; says
    /// which.
    async fn end_cancelled(&self, silent_for: Duration, limit: u32) -> Result<Vec<JobId>, StoreError>;

    /// Runs that ended longer than `older_than` ago and whose container's end is not known, oldest first.
    async fn unsettled(&self, older_than: Duration, limit: u32) -> Result<Vec<Unsettled>, StoreError>;

    /// Running runs that started longer than `age` ago, newest first by `(created_at, job_id)`, with the attempt
    /// that counts and how many of its steps are known.
    async fn under_way(
        &self,
        age: Duration,
        after: Option<&RunCursor>,
        limit: u32,
    ) -> Result<Vec<RunUnderWay>, StoreError>;

    /// Takes over the record of a run that has ended elsewhere, as [`imported_form`](super::imported_form) has it.
    /// Its files count as mirrored. When the id is taken nothing changes.
    async fn import(&self, record: &RunRecord) -> Result<Import, StoreError>;

    /// The attempt that counts, if one has spoken.
    async fn attempt(&self, job: &JobId) -> Result<Option<RunningAttempt>, StoreError>;

    /// Deletes a terminal run and all that hangs on it.
    async fn delete(&self, job: &JobId) -> Result<Deletion, StoreError>;
}

/// The lease by which API replicas keep their bus' generation alive.
#[must_use]
pub fn generation_lease(generation: &str) -> String {
    format!("generation:{generation}")
}

/// A job to accept.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub job_id: JobId,
    /// What to run; its `job_id` is set.
    pub spec: JobSpec,
    /// Fingerprint of the spec.
    pub fingerprint: String,
    /// When it was submitted.
    pub created_at: DateTime<Utc>,
    /// The bus' generation that will carry it.
    pub generation: String,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "made once a request, never stored in numbers")]
pub enum Submission {
    /// The run exists now, and is to be published.
    Created,
    /// A run of this id existed with an equal spec.
    Existing(RunRecord),
    /// A run of this id existed with another spec.
    Taken,
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunQuery {
    /// Only runs of this status.
    pub status: Option<JobStatus>,
    /// Only runs older than this one in the list's order.
    pub after: Option<RunCursor>,
    /// Skip so many first; for compatibility, slow when large.
    pub offset: u64,
    /// At most so many, 1 to 200.
    pub limit: u32,
}

/// A run that has ended and does not know what became of its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// The job.
    pub job_id: JobId,
    /// The attempt that counts.
    pub attempt: AttemptId,
    /// Its number.
    pub number: u32,
    /// The worker that had it.
    pub worker: WorkerName,
    /// The container.
    pub sandbox_id: String,
    /// When its job wanted it kept.
    pub policy: CleanupPolicy,
}

/// A place in the list of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunCursor {
    /// `created_at` of the last run seen.
    pub created_at: DateTime<Utc>,
    /// Its id.
    pub job_id: JobId,
}

/// A run that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunUnderWay {
    /// The run, and its place in the list.
    pub place: RunCursor,
    /// The attempt that counts.
    pub attempt: AttemptId,
    /// How many of its steps are known.
    pub steps: u32,
}

/// What became of a record that was to be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Import {
    /// It is there now.
    New,
    /// It was there, and equal.
    Known,
    /// Another run has its id.
    Taken,
    /// It has not ended.
    NotTerminal,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It changed the record.
    Applied,
    /// It was known.
    Duplicate,
    /// It is a result that came before what it announces; give it again later.
    Early,
    /// It counts for nothing; its worker is to be told.
    Refused(Refusal),
}

/// What became of a wish to cancel.
#[derive(Debug, Clone, PartialEq)]
pub struct Cancelled {
    /// What it did.
    pub decision: CancelDecision,
    /// The run's status after it.
    pub status: JobStatus,
    /// The worker that has the current attempt, and that attempt, when the run is running.
    pub running: Option<(WorkerName, AttemptId)>,
}

/// A worker as it last described itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRow {
    /// Its name.
    pub name: WorkerName,
    /// Its pool.
    pub pool: PoolName,
    /// How many jobs it runs at once at most.
    pub slots: u32,
    /// How many it runs now.
    pub busy: u32,
    /// Whether it takes no more jobs.
    pub draining: bool,
    /// Its version of OrcaOps.
    pub version: String,
    /// When it last spoke, by the database's clock.
    pub seen_at: DateTime<Utc>,
}

/// What became of a wish to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Deleted,
    /// There was none.
    NotFound,
    /// It has not ended.
    NotTerminal,
}
