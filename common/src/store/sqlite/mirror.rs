//! Runs whose files are still to be mirrored, and those under way.

use std::time::Duration;

use sqlx::sqlite::SqlitePool;

use super::clock::now;
use crate::domain::id::{AttemptId, JobId};
use crate::store::failure::Failure;
use crate::store::rows::{AttemptRow, UnderWayRow};
use crate::store::stamp::{Stamp, micros};
use crate::store::{RunCursor, RunUnderWay, generation_lease};

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

/// How many steps of a run's current attempt there are.
macro_rules! steps {
    () => {
        "(SELECT count(*) FROM steps WHERE steps.job_id = runs.job_id \
          AND steps.dispatch = runs.current_dispatch AND steps.delivery = runs.current_delivery) AS steps"
    };
}

// Two statements, so that each is served from the index of statuses.
const UNDER_WAY: &str = concat!(
    "SELECT job_id, created_at, current_dispatch, current_delivery, ",
    steps!(),
    " FROM runs WHERE status = 'running' AND started_at < ",
    now!(),
    " - ?1 ORDER BY created_at DESC, job_id DESC LIMIT ?2"
);
const UNDER_WAY_AFTER: &str = concat!(
    "SELECT job_id, created_at, current_dispatch, current_delivery, ",
    steps!(),
    " FROM runs WHERE status = 'running' AND started_at < ",
    now!(),
    " - ?1 AND (created_at, job_id) < (?3, ?4) ORDER BY created_at DESC, job_id DESC LIMIT ?2"
);

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

pub(super) async fn under_way(
    readers: &SqlitePool,
    age: Duration,
    after: Option<&RunCursor>,
    limit: u32,
) -> Result<Vec<RunUnderWay>, Failure> {
    let statement = if after.is_some() { UNDER_WAY_AFTER } else { UNDER_WAY };
    let mut page = sqlx::query_as::<_, UnderWayRow>(statement).bind(micros(age)).bind(i64::from(limit));
    if let Some(after) = after {
        page = page.bind(Stamp::from(after.created_at)).bind(after.job_id.as_str());
    }
    page.fetch_all(readers).await?.into_iter().map(RunUnderWay::try_from).collect()
}
