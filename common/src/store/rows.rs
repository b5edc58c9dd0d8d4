//! Rows, as both databases give them, and what they mean.

use std::collections::HashMap;

use sqlx::types::Json;

use super::changes::Outcome;
use super::failure::Failure;
use super::stamp::Stamp;
use super::waiting::Queue;
use super::{RunCursor, RunQuery, RunUnderWay, Unsettled, WorkerRow};
use crate::domain::control::RunningAttempt;
use crate::domain::id::{AttemptId, JobId, PoolName, WorkerName};
use crate::domain::placement::CleanupPolicy;
use crate::domain::run::{
    ArtifactMetadata, BuiltImage, CleanupStatus, EndCause, JobStatus, RunRecord, StepResult,
};

const LONGEST_PAGE: u32 = 200;

/// A run as lists show it.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct RunRow {
    pub(super) job_id: String,
    pub(super) status: String,
    pub(super) current_dispatch: Option<i64>,
    pub(super) current_delivery: Option<i64>,
    created_at: Stamp,
    started_at: Option<Stamp>,
    finished_at: Option<Stamp>,
    sandbox_id: Option<String>,
    image_ref: Option<String>,
    cleanup_status: Option<String>,
    ttl_expiry: Option<Stamp>,
    fingerprint: Option<String>,
    error: Option<String>,
    worker: Option<String>,
    attempt: i64,
    end_cause: Option<String>,
    pool: String,
    not_before: Option<Stamp>,
    notes: Json<Vec<String>>,
    built_image: Option<Json<BuiltImage>>,
}

/// A step of a run's current attempt. Rows come in the order of their index.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct StepRow {
    job_id: String,
    command: String,
    exit_code: i64,
    signal: Option<i64>,
    stdout: String,
    stderr: String,
    stdout_bytes: i64,
    stderr_bytes: i64,
    duration_seconds: f64,
    cpu_seconds: Option<f64>,
    max_rss_bytes: Option<i64>,
    ended_at: Stamp,
    step_index: i64,
    name: Option<String>,
    success: Option<bool>,
}

/// An artifact of a run's current attempt. Rows come in the order of their path.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct ArtifactRow {
    job_id: String,
    path: String,
    name: String,
    size_bytes: i64,
    sha256: String,
    mode: Option<String>,
}

/// That a step is known.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct StepKeyRow {
    job_id: String,
    dispatch: i64,
    delivery: i64,
    step_index: i64,
}

/// That an artifact is known.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct ArtifactKeyRow {
    job_id: String,
    dispatch: i64,
    delivery: i64,
    path: String,
}

/// How an attempt ended.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct OutcomeRow {
    job_id: String,
    dispatch: i64,
    delivery: i64,
    outcome: String,
}

/// A run and the attempt of it that counts.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct AttemptRow {
    job_id: String,
    current_dispatch: Option<i64>,
    current_delivery: Option<i64>,
}

/// A run that has ended and does not know what became of its container.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct UnsettledRow {
    job_id: String,
    current_dispatch: Option<i64>,
    current_delivery: Option<i64>,
    attempt: i64,
    worker: Option<String>,
    sandbox_id: Option<String>,
    policy: String,
}

/// A running run, and how many steps of the attempt that counts are known.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct UnderWayRow {
    job_id: String,
    created_at: Stamp,
    current_dispatch: i64,
    current_delivery: i64,
    steps: i64,
}

/// A worker as it last described itself.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct SeenRow {
    name: String,
    pool: String,
    slots: i64,
    busy: i64,
    draining: bool,
    version: String,
    seen_at: Stamp,
}

impl RunRow {
    pub(super) fn is_queued(&self) -> bool {
        self.status == JobStatus::Queued.as_str()
    }

    fn into_record(
        self,
        steps: Vec<StepResult>,
        artifacts: Vec<ArtifactMetadata>,
        queue: Option<&Queue>,
    ) -> Result<RunRecord, Failure> {
        let status = named("status", &self.status, JobStatus::parse)?;
        let pool = named("pool", &self.pool, |p| PoolName::new(p).ok())?;
        let waiting = queue.filter(|_| status == JobStatus::Queued);
        Ok(RunRecord {
            job_id: job_id(&self.job_id)?,
            status,
            created_at: self.created_at.time(),
            started_at: self.started_at.map(Stamp::time),
            finished_at: self.finished_at.map(Stamp::time),
            sandbox_id: self.sandbox_id,
            image_ref: self.image_ref,
            steps,
            artifacts,
            cleanup_status: self
                .cleanup_status
                .map(|s| named("cleanup_status", &s, CleanupStatus::parse))
                .transpose()?,
            ttl_expiry: self.ttl_expiry.map(Stamp::time),
            fingerprint: self.fingerprint,
            error: self.error,
            worker: self.worker.map(|w| named("worker", &w, |w| WorkerName::new(w).ok())).transpose()?,
            attempt: number("attempt", self.attempt)?,
            end_cause: self.end_cause.map(|c| named("end_cause", &c, EndCause::parse)).transpose()?,
            waiting_reason: waiting.map(|queue| queue.reason(&pool, self.not_before)),
            pool,
            notes: self.notes.0,
            built_image: self.built_image.map(|image| image.0),
        })
    }
}

/// Puts runs together with what hangs on them, in the order of the runs.
pub(super) fn assemble(
    runs: Vec<RunRow>,
    steps: Vec<StepRow>,
    artifacts: Vec<ArtifactRow>,
    queue: Option<&Queue>,
) -> Result<Vec<RunRecord>, Failure> {
    let mut steps_of: HashMap<String, Vec<StepResult>> = HashMap::new();
    for mut row in steps {
        let job = std::mem::take(&mut row.job_id);
        steps_of.entry(job).or_default().push(row.try_into()?);
    }
    let mut artifacts_of: HashMap<String, Vec<ArtifactMetadata>> = HashMap::new();
    for mut row in artifacts {
        let job = std::mem::take(&mut row.job_id);
        artifacts_of.entry(job).or_default().push(row.try_into()?);
    }
    let record = |run: RunRow| {
        let steps = steps_of.remove(&run.job_id).unwrap_or_default();
        let artifacts = artifacts_of.remove(&run.job_id).unwrap_or_default();
        run.into_record(steps, artifacts, queue)
    };
    runs.into_iter().map(record).collect()
}

/// The length of a page that was asked for, within what is allowed.
pub(super) fn page_length(query: &RunQuery) -> i64 {
    query.limit.clamp(1, LONGEST_PAGE).into()
}

impl TryFrom<StepRow> for StepResult {
    type Error = Failure;

    fn try_from(row: StepRow) -> Result<Self, Failure> {
        Ok(Self {
            command: row.command,
            exit_code: number("exit_code", row.exit_code)?,
            stdout: row.stdout,
            stderr: row.stderr,
            duration_seconds: row.duration_seconds,
            timestamp: row.ended_at.time(),
            signal: row.signal.map(|s| number("signal", s)).transpose()?,
            stdout_bytes: number("stdout_bytes", row.stdout_bytes)?,
            stderr_bytes: number("stderr_bytes", row.stderr_bytes)?,
            cpu_seconds: row.cpu_seconds,
            max_rss_bytes: row.max_rss_bytes.map(|b| number("max_rss_bytes", b)).transpose()?,
            index: Some(number("step_index", row.step_index)?),
            name: row.name,
            success: row.success,
        })
    }
}

impl TryFrom<ArtifactRow> for ArtifactMetadata {
    type Error = Failure;

    fn try_from(row: ArtifactRow) -> Result<Self, Failure> {
        let size_bytes = number("size_bytes", row.size_bytes)?;
        Ok(Self { name: row.name, path: row.path, size_bytes, sha256: row.sha256, mode: row.mode })
    }
}

impl StepKeyRow {
    pub(super) fn into_key(self) -> Result<((JobId, AttemptId), u32), Failure> {
        let attempt = present_attempt(self.dispatch, self.delivery)?;
        Ok(((job_id(&self.job_id)?, attempt), number("step_index", self.step_index)?))
    }
}

impl ArtifactKeyRow {
    pub(super) fn into_key(self) -> Result<((JobId, AttemptId), String), Failure> {
        Ok(((job_id(&self.job_id)?, present_attempt(self.dispatch, self.delivery)?), self.path))
    }
}

impl OutcomeRow {
    pub(super) fn into_outcome(self) -> Result<(RunningAttempt, Outcome), Failure> {
        let attempt = present_attempt(self.dispatch, self.delivery)?;
        let outcome = named("outcome", &self.outcome, Outcome::parse)?;
        Ok((RunningAttempt { job_id: job_id(&self.job_id)?, attempt }, outcome))
    }
}

impl AttemptRow {
    pub(super) fn into_attempt(self) -> Result<(JobId, Option<AttemptId>), Failure> {
        Ok((job_id(&self.job_id)?, attempt_id(self.current_dispatch, self.current_delivery)?))
    }
}

impl UnsettledRow {
    /// `None` for one that no attempt has spoken for, or that names no container.
    pub(super) fn into_unsettled(self) -> Result<Option<Unsettled>, Failure> {
        let attempt = attempt_id(self.current_dispatch, self.current_delivery)?;
        let (Some(attempt), Some(worker), Some(sandbox_id)) = (attempt, self.worker, self.sandbox_id) else {
            return Ok(None);
        };
        let parse = |name: &str| CleanupPolicy::ALL.into_iter().find(|policy| policy.as_str() == name);
        Ok(Some(Unsettled {
            job_id: job_id(&self.job_id)?,
            attempt,
            number: number("attempt", self.attempt)?,
            worker: named("worker", &worker, |w| WorkerName::new(w).ok())?,
            sandbox_id,
            policy: named("cleanup_policy", &self.policy, parse)?,
        }))
    }
}

impl TryFrom<UnderWayRow> for RunUnderWay {
    type Error = Failure;

    fn try_from(row: UnderWayRow) -> Result<Self, Failure> {
        Ok(Self {
            place: RunCursor { created_at: row.created_at.time(), job_id: job_id(&row.job_id)? },
            attempt: present_attempt(row.current_dispatch, row.current_delivery)?,
            steps: number("count of steps", row.steps)?,
        })
    }
}

impl TryFrom<SeenRow> for WorkerRow {
    type Error = Failure;

    fn try_from(row: SeenRow) -> Result<Self, Failure> {
        Ok(Self {
            name: named("worker", &row.name, |w| WorkerName::new(w).ok())?,
            pool: named("pool", &row.pool, |p| PoolName::new(p).ok())?,
            slots: number("slots", row.slots)?,
            busy: number("busy", row.busy)?,
            draining: row.draining,
            version: row.version,
            seen_at: row.seen_at.time(),
        })
    }
}

/// A stored word's meaning.
pub(super) fn named<T>(what: &str, stored: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Failure> {
    parse(stored).ok_or_else(|| Failure::Corrupt(format!("`{stored}` is no {what}")))
}

/// A stored number in the range it must have.
pub(super) fn number<T: TryFrom<i64>>(what: &str, stored: i64) -> Result<T, Failure> {
    T::try_from(stored).map_err(|_| Failure::Corrupt(format!("{stored} is no {what}")))
}

/// A stored attempt, if there is one.
pub(super) fn attempt_id(dispatch: Option<i64>, delivery: Option<i64>) -> Result<Option<AttemptId>, Failure> {
    dispatch.zip(delivery).map(|(dispatch, delivery)| present_attempt(dispatch, delivery)).transpose()
}

fn present_attempt(dispatch: i64, delivery: i64) -> Result<AttemptId, Failure> {
    Ok(AttemptId { dispatch: number("dispatch", dispatch)?, delivery: number("delivery", delivery)? })
}

fn job_id(stored: &str) -> Result<JobId, Failure> {
    named("job_id", stored, |id| JobId::new(id).ok())
}
