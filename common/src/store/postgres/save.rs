//! Writing what a transaction decided: one statement a table, however many rows.

use sqlx::postgres::PgConnection;
use sqlx::types::Json;

use crate::domain::id::{AttemptId, JobId, WorkerName};
use crate::domain::run::{CleanupStatus, EndCause};
use crate::store::changes::{AttemptChange, Changes, NewArtifact, NewStep};
use crate::store::failure::Failure;
use crate::store::held::HeldRun;
use crate::store::stamp::Stamp;
use crate::store::stored_form::bytes;

const RUNS: &str = "UPDATE runs SET status = n.status, current_dispatch = n.current_dispatch, \
     current_delivery = n.current_delivery, attempt = n.attempt, worker = n.worker, \
     sandbox_id = n.sandbox_id, cleanup_status = n.cleanup_status, started_at = n.started_at, \
     ttl_expiry = n.ttl_expiry, finished_at = n.finished_at, end_cause = n.end_cause, error = n.error, \
     cancel_requested_at = n.cancel_requested_at, generation = n.generation, dispatch = n.dispatch, \
     attempts_spent = n.attempts_spent, queued_at = n.queued_at, not_before = n.not_before, \
     published_at = n.published_at, notes = n.notes, built_image = n.built_image \
     FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], \
         $8::text[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::text[], $13::text[], \
         $14::timestamptz[], $15::text[], $16::bigint[], $17::bigint[], $18::timestamptz[], \
         $19::timestamptz[], $20::timestamptz[], $21::jsonb[], $22::jsonb[]) \
     AS n (job_id, status, current_dispatch, current_delivery, attempt, worker, sandbox_id, \
         cleanup_status, started_at, ttl_expiry, finished_at, end_cause, error, cancel_requested_at, \
         generation, dispatch, attempts_spent, queued_at, not_before, published_at, notes, built_image) \
     WHERE runs.job_id = n.job_id";

const ATTEMPTS: &str = "INSERT INTO attempts \
         (job_id, dispatch, delivery, number, worker, started_at, ended_at, outcome, reason) \
     SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], \
         $6::timestamptz[], $7::timestamptz[], $8::text[], $9::text[]) \
     ON CONFLICT (job_id, dispatch, delivery) DO UPDATE SET ended_at = excluded.ended_at, \
         outcome = excluded.outcome, reason = excluded.reason WHERE attempts.outcome IS NULL";

const STEPS: &str = "INSERT INTO steps (job_id, dispatch, delivery, step_index, command, exit_code, signal, \
         stdout, stderr, stdout_bytes, stderr_bytes, duration_seconds, cpu_seconds, max_rss_bytes, ended_at, \
         name, success) \
     SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], \
         $7::bigint[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::double precision[], \
         $13::double precision[], $14::bigint[], $15::timestamptz[], $16::text[], $17::boolean[]) \
     ON CONFLICT (job_id, dispatch, delivery, step_index) DO NOTHING";

const ARTIFACTS: &str = "INSERT INTO artifacts \
         (job_id, dispatch, delivery, path_sha256, path, name, size_bytes, sha256, mode) \
     SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::text[], $6::text[], \
         $7::bigint[], $8::text[], $9::text[]) \
     ON CONFLICT (job_id, dispatch, delivery, path_sha256) DO NOTHING";

/// Writes all changes.
pub(super) async fn save(connection: &mut PgConnection, changes: &Changes) -> Result<(), Failure> {
    if !changes.runs.is_empty() {
        runs(connection, &changes.runs).await?;
    }
    if !changes.attempts.is_empty() {
        let changes: Vec<_> = changes.attempts.iter().collect();
        attempts(connection, &changes).await?;
    }
    if !changes.steps.is_empty() {
        steps(connection, &changes.steps).await?;
    }
    if !changes.artifacts.is_empty() {
        artifacts(connection, &changes.artifacts).await?;
    }
    Ok(())
}

async fn runs(connection: &mut PgConnection, runs: &[HeldRun]) -> Result<(), Failure> {
    sqlx::query(RUNS)
        .bind(column(runs, |r| r.job_id.to_string()))
        .bind(column(runs, |r| r.status.as_str()))
        .bind(column(runs, |r| r.current.map(dispatch)))
        .bind(column(runs, |r| r.current.map(delivery)))
        .bind(column(runs, |r| i64::from(r.number)))
        .bind(column(runs, |r| r.worker.as_ref().map(WorkerName::to_string)))
        .bind(column(runs, |r| r.sandbox_id.clone()))
        .bind(column(runs, |r| r.cleanup.map(CleanupStatus::as_str)))
        .bind(column(runs, |r| r.started_at))
        .bind(column(runs, |r| r.ttl_expiry))
        .bind(column(runs, |r| r.finished_at))
        .bind(column(runs, |r| r.end_cause.map(EndCause::as_str)))
        .bind(column(runs, |r| r.error.clone()))
        .bind(column(runs, |r| r.cancel_requested_at))
        .bind(column(runs, |r| r.generation.clone()))
        .bind(column(runs, |r| i64::from(r.dispatch)))
        .bind(column(runs, |r| i64::from(r.attempts_spent)))
        .bind(column(runs, |r| r.queued_at))
        .bind(column(runs, |r| r.not_before))
        .bind(column(runs, |r| r.published_at))
        .bind(column(runs, |r| Json(r.notes.clone())))
        .bind(column(runs, |r| r.built_image.clone().map(Json)))
        .execute(connection)
        .await?;
    Ok(())
}

async fn attempts(
    connection: &mut PgConnection,
    attempts: &[(&(JobId, AttemptId), &AttemptChange)],
) -> Result<(), Failure> {
    sqlx::query(ATTEMPTS)
        .bind(column(attempts, |((job, _), _)| job.to_string()))
        .bind(column(attempts, |((_, attempt), _)| dispatch(*attempt)))
        .bind(column(attempts, |((_, attempt), _)| delivery(*attempt)))
        .bind(column(attempts, |(_, a)| i64::from(a.number)))
        .bind(column(attempts, |(_, a)| a.worker.to_string()))
        .bind(column(attempts, |(_, a)| a.started_at))
        .bind(column(attempts, |(_, a)| a.end.as_ref().map(|e| e.at)))
        .bind(column(attempts, |(_, a)| a.end.as_ref().map(|e| e.outcome.as_str())))
        .bind(column(attempts, |(_, a)| a.end.as_ref().and_then(|e| e.reason.clone())))
        .execute(connection)
        .await?;
    Ok(())
}

async fn steps(connection: &mut PgConnection, steps: &[NewStep]) -> Result<(), Failure> {
    sqlx::query(STEPS)
        .bind(column(steps, |s| s.job_id.to_string()))
        .bind(column(steps, |s| dispatch(s.attempt)))
        .bind(column(steps, |s| delivery(s.attempt)))
        .bind(column(steps, |s| i64::from(s.index)))
        .bind(column(steps, |s| s.result.command.clone()))
        .bind(column(steps, |s| i64::from(s.result.exit_code)))
        .bind(column(steps, |s| s.result.signal.map(i64::from)))
        .bind(column(steps, |s| s.result.stdout.clone()))
        .bind(column(steps, |s| s.result.stderr.clone()))
        .bind(column(steps, |s| bytes(s.result.stdout_bytes)))
        .bind(column(steps, |s| bytes(s.result.stderr_bytes)))
        .bind(column(steps, |s| s.result.duration_seconds))
        .bind(column(steps, |s| s.result.cpu_seconds))
        .bind(column(steps, |s| s.result.max_rss_bytes.map(bytes)))
        .bind(column(steps, |s| Stamp::from(s.result.timestamp)))
        .bind(column(steps, |s| s.result.name.clone()))
        .bind(column(steps, |s| s.result.success))
        .execute(connection)
        .await?;
    Ok(())
}

async fn artifacts(connection: &mut PgConnection, artifacts: &[NewArtifact]) -> Result<(), Failure> {
    sqlx::query(ARTIFACTS)
        .bind(column(artifacts, |a| a.job_id.to_string()))
        .bind(column(artifacts, |a| dispatch(a.attempt)))
        .bind(column(artifacts, |a| delivery(a.attempt)))
        .bind(column(artifacts, NewArtifact::path_sha256))
        .bind(column(artifacts, |a| a.artifact.path.clone()))
        .bind(column(artifacts, |a| a.artifact.name.clone()))
        .bind(column(artifacts, |a| bytes(a.artifact.size_bytes)))
        .bind(column(artifacts, |a| a.artifact.sha256.clone()))
        .bind(column(artifacts, |a| a.artifact.mode.clone()))
        .execute(connection)
        .await?;
    Ok(())
}

fn column<R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn dispatch(attempt: AttemptId) -> i64 {
    attempt.dispatch.into()
}

fn delivery(attempt: AttemptId) -> i64 {
    attempt.delivery.into()
}
