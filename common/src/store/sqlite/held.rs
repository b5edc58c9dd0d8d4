//! Runs held by a transaction. The one writer's lock is on all of them.

use sqlx::sqlite::SqliteConnection;
use sqlx::types::Json;

use super::clock::now;
use crate::store::columns::held_columns;
use crate::store::failure::Failure;
use crate::store::held::{HeldRow, HeldRun};

const HOLD: &str = concat!(
    "SELECT ",
    held_columns!(),
    ", ",
    now!(),
    " AS now FROM runs WHERE job_id IN (SELECT value FROM json_each(?1)) ORDER BY job_id"
);

const HOLD_ABANDONED: &str = concat!(
    "SELECT ",
    held_columns!(),
    ", ",
    now!(),
    " AS now FROM runs \
     WHERE status IN ('queued', 'running') AND (generation < ?1 OR generation > ?1) \
     AND NOT EXISTS (SELECT 1 FROM leases \
         WHERE leases.name = ?2 || runs.generation AND leases.expires_at > ",
    now!(),
    ") ORDER BY created_at, job_id LIMIT ?3"
);

/// The runs of these jobs, which stay as they are until a writing transaction ends.
pub(super) async fn hold(
    connection: &mut SqliteConnection,
    jobs: &[String],
) -> Result<Vec<HeldRun>, Failure> {
    runs(sqlx::query_as(HOLD).bind(Json(jobs)).fetch_all(connection).await?)
}

/// Runs that are not over, under other generations than this one that no lease keeps alive.
pub(super) async fn hold_abandoned(
    connection: &mut SqliteConnection,
    generation: &str,
    lease_prefix: &str,
    limit: u32,
) -> Result<Vec<HeldRun>, Failure> {
    let rows = sqlx::query_as(HOLD_ABANDONED).bind(generation).bind(lease_prefix).bind(i64::from(limit));
    runs(rows.fetch_all(connection).await?)
}

const HOLD_CANCELLED: &str = concat!(
    "SELECT ",
    held_columns!(),
    ", ",
    now!(),
    " AS now FROM runs WHERE status = 'running' AND cancel_requested_at < ",
    now!(),
    " - ?1 AND NOT EXISTS (SELECT 1 FROM workers WHERE workers.name = runs.worker AND workers.seen_at > ",
    now!(),
    " - ?1) ORDER BY job_id LIMIT ?2"
);

/// Runs that a user asked to cancel longer than so many microseconds ago, of workers silent for as long.
pub(super) async fn hold_cancelled(
    connection: &mut SqliteConnection,
    silent_for: i64,
    limit: u32,
) -> Result<Vec<HeldRun>, Failure> {
    let rows = sqlx::query_as(HOLD_CANCELLED).bind(silent_for).bind(i64::from(limit));
    runs(rows.fetch_all(connection).await?)
}

fn runs(rows: Vec<HeldRow>) -> Result<Vec<HeldRun>, Failure> {
    rows.into_iter().map(HeldRun::try_from).collect()
}
