//! Runs held by a transaction.

use sqlx::postgres::PgConnection;

use crate::store::columns::held_columns;
use crate::store::failure::Failure;
use crate::store::held::{HeldRow, HeldRun};

// Locks are taken in the order of the ids, so that no two transactions wait for each other.
const HOLD: &str = concat!(
    "SELECT ",
    held_columns!(),
    ", clock_timestamp() AS now FROM runs WHERE job_id = ANY($1) ORDER BY job_id FOR UPDATE"
);

const LOOK: &str =
    concat!("SELECT ", held_columns!(), ", clock_timestamp() AS now FROM runs WHERE job_id = ANY($1)");

// A run that somebody else holds is left for the next time.
const HOLD_ABANDONED: &str = concat!(
    "SELECT ",
    held_columns!(),
    ", clock_timestamp() AS now FROM runs \
     WHERE status IN ('queued', 'running') AND (generation < $1 OR generation > $1) \
     AND NOT EXISTS (SELECT FROM leases \
         WHERE leases.name = $2 || runs.generation AND leases.expires_at > clock_timestamp()) \
     ORDER BY created_at, job_id LIMIT $3 FOR UPDATE OF runs SKIP LOCKED"
);

/// Locks the runs of these jobs until the transaction ends.
pub(super) async fn hold(connection: &mut PgConnection, jobs: &[String]) -> Result<Vec<HeldRun>, Failure> {
    runs(sqlx::query_as(HOLD).bind(jobs).fetch_all(connection).await?)
}

/// The runs of these jobs, not locked.
pub(super) async fn look(connection: &mut PgConnection, jobs: &[String]) -> Result<Vec<HeldRun>, Failure> {
    runs(sqlx::query_as(LOOK).bind(jobs).fetch_all(connection).await?)
}

/// Locks runs that are not over, under other generations than this one that no lease keeps alive.
pub(super) async fn hold_abandoned(
    connection: &mut PgConnection,
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
    ", clock_timestamp() AS now FROM runs \
     WHERE status = 'running' AND cancel_requested_at < clock_timestamp() - $1 * interval '1 microsecond' \
     AND NOT EXISTS (SELECT FROM workers WHERE workers.name = runs.worker \
         AND workers.seen_at > clock_timestamp() - $1 * interval '1 microsecond') \
     ORDER BY job_id LIMIT $2 FOR UPDATE OF runs SKIP LOCKED"
);

/// Locks runs that a user asked to cancel longer than so many microseconds ago, of workers silent for as long.
pub(super) async fn hold_cancelled(
    connection: &mut PgConnection,
    silent_for: i64,
    limit: u32,
) -> Result<Vec<HeldRun>, Failure> {
    let rows = sqlx::query_as(HOLD_CANCELLED).bind(silent_for).bind(i64::from(limit));
    runs(rows.fetch_all(connection).await?)
}

fn runs(rows: Vec<HeldRow>) -> Result<Vec<HeldRun>, Failure> {
    rows.into_iter().map(HeldRun::try_from).collect()
}
