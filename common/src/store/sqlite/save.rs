//! Writing what a transaction decided. A statement a row: none of them leaves the process.

use sqlx::sqlite::SqliteConnection;
use sqlx::types::Json;

use crate::domain::id::{AttemptId, JobId, WorkerName};
use crate::domain::run::{CleanupStatus, EndCause};
use crate::store::changes::{AttemptChange, Changes, NewArtifact, NewStep};
use crate::store::failure::Failure;
use crate::store::held::HeldRun;
use crate::store::stamp::Stamp;
use crate::store::stored_form::bytes;

const RUN: &str = "UPDATE runs SET status = ?2, current_dispatch = ?3, current_delivery = ?4, attempt = ?5, \
     worker = ?6, sandbox_id = ?7, cleanup_status = ?8, started_at = ?9, ttl_expiry = ?10, \
     finished_at = ?11, end_cause = ?12, error = ?13, cancel_requested_at = ?14, generation = ?15, \
     dispatch = ?16, attempts_spent = ?17, queued_at = ?18, not_before = ?19, published_at = ?20, \
     notes = ?21, built_image = ?22 \
     WHERE job_id = ?1";

const ATTEMPT: &str = "INSERT INTO attempts \
         (job_id, dispatch, delivery, number, worker, started_at, ended_at, outcome, reason) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
     ON CONFLICT (job_id, dispatch, delivery) DO UPDATE SET ended_at = excluded.ended_at, \
         outcome = excluded.outcome, reason = excluded.reason WHERE attempts.outcome IS NULL";

const STEP: &str = "INSERT INTO steps (job_id, dispatch, delivery, step_index, command, exit_code, signal, \
         stdout, stderr, stdout_bytes, stderr_bytes, duration_seconds, cpu_seconds, max_rss_bytes, ended_at, \
         name, success) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) \
     ON CONFLICT (job_id, dispatch, delivery, step_index) DO NOTHING";

const ARTIFACT: &str = "INSERT INTO artifacts \
         (job_id, dispatch, delivery, path_sha256, path, name, size_bytes, sha256, mode) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
     ON CONFLICT (job_id, dispatch, delivery, path_sha256) DO NOTHING";

/// Writes all changes.
pub(super) async fn save(connection: &mut SqliteConnection, changes: &Changes) -> Result<(), Failure> {
    for change in &changes.runs {
        run(connection, change).await?;
    }
    for ((job, id), change) in &changes.attempts {
        attempt(connection, job, *id, change).await?;
    }
    for new in &changes.steps {
        step(connection, new).await?;
    }
    for new in &changes.artifacts {
        artifact(connection, new).await?;
    }
    Ok(())
}

async fn run(connection: &mut SqliteConnection, run: &HeldRun) -> Result<(), Failure> {
    sqlx::query(RUN)
        .bind(run.job_id.as_str())
        .bind(run.status.as_str())
        .bind(run.current.map(|a| i64::from(a.dispatch)))
        .bind(run.current.map(|a| i64::from(a.delivery)))
        .bind(i64::from(run.number))
        .bind(run.worker.as_ref().map(WorkerName::as_str))
        .bind(run.sandbox_id.as_deref())
        .bind(run.cleanup.map(CleanupStatus::as_str))
        .bind(run.started_at)
        .bind(run.ttl_expiry)
        .bind(run.finished_at)
        .bind(run.end_cause.map(EndCause::as_str))
        .bind(run.error.as_deref())
        .bind(run.cancel_requested_at)
        .bind(&run.generation)
        .bind(i64::from(run.dispatch))
        .bind(i64::from(run.attempts_spent))
        .bind(run.queued_at)
        .bind(run.not_before)
        .bind(run.published_at)
        .bind(Json(&run.notes))
        .bind(run.built_image.as_ref().map(Json))
        .execute(connection)
        .await?;
    Ok(())
}

async fn attempt(
    connection: &mut SqliteConnection,
    job: &JobId,
    id: AttemptId,
    attempt: &AttemptChange,
) -> Result<(), Failure> {
    sqlx::query(ATTEMPT)
        .bind(job.as_str())
        .bind(i64::from(id.dispatch))
        .bind(i64::from(id.delivery))
        .bind(i64::from(attempt.number))
        .bind(attempt.worker.as_str())
        .bind(attempt.started_at)
        .bind(attempt.end.as_ref().map(|e| e.at))
        .bind(attempt.end.as_ref().map(|e| e.outcome.as_str()))
        .bind(attempt.end.as_ref().and_then(|e| e.reason.as_deref()))
        .execute(connection)
        .await?;
    Ok(())
}

async fn step(connection: &mut SqliteConnection, step: &NewStep) -> Result<(), Failure> {
    sqlx::query(STEP)
        .bind(step.job_id.as_str())
        .bind(i64::from(step.attempt.dispatch))
        .bind(i64::from(step.attempt.delivery))
        .bind(i64::from(step.index))
        .bind(&step.result.command)
        .bind(i64::from(step.result.exit_code))
        .bind(step.result.signal.map(i64::from))
        .bind(&step.result.stdout)
        .bind(&step.result.stderr)
        .bind(bytes(step.result.stdout_bytes))
        .bind(bytes(step.result.stderr_bytes))
        .bind(step.result.duration_seconds)
        .bind(step.result.cpu_seconds)
        .bind(step.result.max_rss_bytes.map(bytes))
        .bind(Stamp::from(step.result.timestamp))
        .bind(step.result.name.as_deref())
        .bind(step.result.success)
        .execute(connection)
        .await?;
    Ok(())
}

async fn artifact(connection: &mut SqliteConnection, new: &NewArtifact) -> Result<(), Failure> {
    sqlx::query(ARTIFACT)
        .bind(new.job_id.as_str())
        .bind(i64::from(new.attempt.dispatch))
        .bind(i64::from(new.attempt.delivery))
        .bind(new.path_sha256())
        .bind(&new.artifact.path)
        .bind(&new.artifact.name)
        .bind(bytes(new.artifact.size_bytes))
        .bind(&new.artifact.sha256)
        .bind(new.artifact.mode.as_deref())
        .execute(connection)
        .await?;
    Ok(())
}
