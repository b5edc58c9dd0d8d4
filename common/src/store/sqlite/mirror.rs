//! Runs whose files are still to be mirrored.

use sqlx::sqlite::SqlitePool;

use super::clock::now;
use crate::domain::id::{AttemptId, JobId};
use crate::store::failure::Failure;
use crate::store::generation_lease;
use crate::store::rows::AttemptRow;

const UNMIRRORED: &str = concat!(
    "SELECT job_id, current_dispatch, current_delivery FROM runs \
     WHERE status IN ('success', 'failed', 'timed_out', 'cancelled') AND mirrored_at IS NULL \
     AND (generation = ?1 OR NOT EXISTS (SELECT 1 FROM leases \
         WHERE leases.name = ?2 || runs.generation AND leases.expires_at > ",
    now!(),
    ")) ORDER BY finished_at, job_id LIMIT ?3"
);

const MIRRORED: &str =
    concat!("UPDATE runs SET mirrored_at = ", now!(), " WHERE job_id = ?1 AND mirrored_at IS NULL");

pub(super) async fn unmirrored(
    readers: &SqlitePool,
    generation: &str,
    limit: u32,
) -> Result<Vec<(JobId, Option<AttemptId>)>, Failure> {
    let rows: Vec<AttemptRow> = sqlx::query_as(UNMIRRORED)
        .bind(generation)
        .bind(generation_lease(""))
        .bind(i64::from(limit))
        .fetch_all(readers)
        .await?;
    rows.into_iter().map(AttemptRow::into_attempt).collect()
}

pub(super) async fn mirrored(writer: &SqlitePool, job: &JobId) -> Result<(), Failure> {
    sqlx::query(MIRRORED).bind(job.as_str()).execute(writer).await?;
    Ok(())
}
