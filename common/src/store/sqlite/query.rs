//! Reading runs.

use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::types::Json;

use super::clock::now;
use crate::domain::control::RunningAttempt;
use crate::domain::id::JobId;
use crate::domain::run::{JobStatus, RunRecord};
use crate::store::columns::{artifact_columns, run_columns, step_columns};
use crate::store::failure::Failure;
use crate::store::rows::{ArtifactRow, AttemptRow, RunRow, StepRow, assemble, number, page_length};
use crate::store::stamp::{Stamp, micros};
use crate::store::waiting::{PoolRow, Queue, SEEN_WITHIN};
use crate::store::{RunQuery, stored_form};

const RUN: &str = concat!("SELECT ", run_columns!(), " FROM runs WHERE job_id = ?1");

// One statement for each kind of page, so that each is served from its index.
const PAGE: &str =
    concat!("SELECT ", run_columns!(), " FROM runs ORDER BY created_at DESC, job_id DESC LIMIT ?1 OFFSET ?2");
const PAGE_AFTER: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM runs WHERE (created_at, job_id) < (?3, ?4) ORDER BY created_at DESC, job_id DESC LIMIT ?1 OFFSET ?2"
);
const PAGE_OF_STATUS: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM runs WHERE status = ?3 ORDER BY created_at DESC, job_id DESC LIMIT ?1 OFFSET ?2"
);
const PAGE_OF_STATUS_AFTER: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM runs WHERE status = ?3 AND (created_at, job_id) < (?4, ?5) \
     ORDER BY created_at DESC, job_id DESC LIMIT ?1 OFFSET ?2"
);

const STEPS: &str = concat!(
    "SELECT ",
    step_columns!(),
    " FROM steps WHERE (job_id, dispatch, delivery) IN \
     (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)) ORDER BY job_id, step_index"
);
const ARTIFACTS: &str = concat!(
    "SELECT ",
    artifact_columns!(),
    " FROM artifacts WHERE (job_id, dispatch, delivery) IN \
     (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)) ORDER BY job_id, path"
);

const POOLS: &str = concat!(
    "SELECT ",
    now!(),
    " AS now, pool, slots, busy FROM (SELECT 1) LEFT JOIN \
         (SELECT pool, sum(slots) AS slots, sum(busy) AS busy FROM workers \
          WHERE draining = 0 AND seen_at > ",
    now!(),
    " - ?1 GROUP BY pool) ON true"
);

const ATTEMPT: &str = "SELECT job_id, current_dispatch, current_delivery FROM runs WHERE job_id = ?1";
const COUNT: &str = "SELECT count(*) FROM runs";
const COUNT_OF_STATUS: &str = "SELECT count(*) FROM runs WHERE status = ?1";
const PING: &str = "SELECT count(*) FROM sqlite_schema";

pub(super) async fn ping(readers: &SqlitePool) -> Result<(), Failure> {
    sqlx::query(PING).execute(readers).await?;
    Ok(())
}

pub(super) async fn run(readers: &SqlitePool, job: &JobId) -> Result<Option<RunRecord>, Failure> {
    let mut view = readers.begin().await?;
    let row: Option<RunRow> = sqlx::query_as(RUN).bind(job.as_str()).fetch_optional(&mut *view).await?;
    let records = complete(&mut view, row.into_iter().collect()).await?;
    view.commit().await?;
    Ok(records.into_iter().next())
}

pub(super) async fn runs(readers: &SqlitePool, query: &RunQuery) -> Result<Vec<RunRecord>, Failure> {
    let mut view = readers.begin().await?;
    let page = sqlx::query_as::<_, RunRow>(match (query.status, &query.after) {
        (None, None) => PAGE,
        (None, Some(_)) => PAGE_AFTER,
        (Some(_), None) => PAGE_OF_STATUS,
        (Some(_), Some(_)) => PAGE_OF_STATUS_AFTER,
    });
    let mut page = page.bind(page_length(query)).bind(stored_form::bytes(query.offset));
    if let Some(status) = query.status {
        page = page.bind(status.as_str());
    }
    if let Some(after) = &query.after {
        page = page.bind(Stamp::from(after.created_at)).bind(after.job_id.as_str());
    }
    let rows = page.fetch_all(&mut *view).await?;
    let records = complete(&mut view, rows).await?;
    view.commit().await?;
    Ok(records)
}

pub(super) async fn count(readers: &SqlitePool, status: Option<JobStatus>) -> Result<u64, Failure> {
    let count: i64 = match status {
        None => sqlx::query_scalar(COUNT).fetch_one(readers).await?,
        Some(status) => sqlx::query_scalar(COUNT_OF_STATUS).bind(status.as_str()).fetch_one(readers).await?,
    };
    number("count", count)
}

pub(super) async fn attempt(readers: &SqlitePool, job: &JobId) -> Result<Option<RunningAttempt>, Failure> {
    let row: Option<AttemptRow> = sqlx::query_as(ATTEMPT).bind(job.as_str()).fetch_optional(readers).await?;
    let Some((job_id, attempt)) = row.map(AttemptRow::into_attempt).transpose()? else { return Ok(None) };
    Ok(attempt.map(|attempt| RunningAttempt { job_id, attempt }))
}

/// Adds to the runs what hangs on them.
async fn complete(view: &mut SqliteConnection, runs: Vec<RunRow>) -> Result<Vec<RunRecord>, Failure> {
    let current = |run: &RunRow| Some((run.job_id.clone(), run.current_dispatch?, run.current_delivery?));
    let attempts: Vec<(String, i64, i64)> = runs.iter().filter_map(current).collect();
    let (mut steps, mut artifacts): (Vec<StepRow>, Vec<ArtifactRow>) = (Vec::new(), Vec::new());
    if !attempts.is_empty() {
        steps = sqlx::query_as(STEPS).bind(Json(&attempts)).fetch_all(&mut *view).await?;
        artifacts = sqlx::query_as(ARTIFACTS).bind(Json(&attempts)).fetch_all(&mut *view).await?;
    }
    let queue = if runs.iter().any(RunRow::is_queued) { Some(queue(view).await?) } else { None };
    assemble(runs, steps, artifacts, queue.as_ref())
}

async fn queue(view: &mut SqliteConnection) -> Result<Queue, Failure> {
    let rows: Vec<PoolRow> = sqlx::query_as(POOLS).bind(micros(SEEN_WITHIN)).fetch_all(view).await?;
    Ok(Queue::new(rows))
}
