//! Runs whose files are still to be mirrored.

use sqlx::postgres::PgPool;

use crate::domain::id::{AttemptId, JobId};
use crate::store::failure::Failure;
use crate::store::generation_lease;
use crate::store::rows::AttemptRow;

const UNMIRRORED: &str = "SELECT job_id, current_dispatch, current_delivery FROM runs \
     WHERE status IN ('success', 'failed', 'timed_out', 'cancelled') AND mirrored_at IS NULL \
     AND (generation = $1 OR NOT EXISTS (SELECT FROM leases \
         WHERE leases.name = $2 || runs.generation AND leases.expires_at > clock_timestamp())) \
     ORDER BY finished_at, job_id LIMIT $3";

const MIRRORED: &str = "UPDATE runs SET mirrored_at = clock_timestamp() \
     WHERE job_id = $1 AND mirrored_at IS NULL";

pub(super) async fn unmirrored(
    pool: &PgPool,
    generation: &str,
    limit: u32,
) -> Result<Vec<(JobId, Option<AttemptId>)>, Failure> {
    let rows: Vec<AttemptRow> = sqlx::query_as(UNMIRRORED)
        .bind(generation)
        .bind(generation_lease(""))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(AttemptRow::into_attempt).collect()
}

pub(super) async fn mirrored(pool: &PgPool, job: &JobId) -> Result<(), Failure> {
    sqlx::query(MIRRORED).bind(job.as_str()).execute(pool).await?;
    Ok(())
}
