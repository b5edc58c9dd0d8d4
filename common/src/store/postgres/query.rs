//! Reading runs.

use sqlx::postgres::{PgConnection, PgPool};

use crate::domain::control::RunningAttempt;
use crate::domain::id::JobId;
use crate::domain::run::{JobStatus, RunRecord};
use crate::store::columns::{artifact_columns, run_columns, step_columns};
use crate::store::failure::Failure;
use crate::store::rows::{ArtifactRow, AttemptRow, RunRow, StepRow, assemble, number, page_length};
use crate::store::stamp::{Stamp, micros};
use crate::store::waiting::{PoolRow, Queue, SEEN_WITHIN};
use crate::store::{RunQuery, stored_form};

/// One view for all that a record is made of.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

const RUN: &str = concat!("SELECT ", run_columns!(), " FROM runs WHERE job_id = $1");

// One statement for each kind of page, so that each is served from its index.
const PAGE: &str =
    concat!("SELECT ", run_columns!(), " FROM runs ORDER BY created_at DESC, job_id DESC LIMIT $1 OFFSET $2");
const PAGE_AFTER: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM runs WHERE (created_at, job_id) < ($3, $4) ORDER BY created_at DESC, job_id DESC LIMIT $1 OFFSET $2"
);
const PAGE_OF_STATUS: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM runs WHERE status = $3 ORDER BY created_at DESC, job_id DESC LIMIT $1 OFFSET $2"
);
const PAGE_OF_STATUS_AFTER: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM runs WHERE status = $3 AND (created_at, job_id) < ($4, $5) \
     ORDER BY created_at DESC, job_id DESC LIMIT $1 OFFSET $2"
);

const STEPS: &str = concat!(
    "SELECT ",
    step_columns!(),
    " FROM steps WHERE (job_id, dispatch, delivery) IN \
     (SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])) ORDER BY job_id, step_index"
);
const ARTIFACTS: &str = concat!(
    "SELECT ",
    artifact_columns!(),
    " FROM artifacts WHERE (job_id, dispatch, delivery) IN \
     (SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])) ORDER BY job_id, path"
);

const POOLS: &str = "SELECT clock_timestamp() AS now, pool, slots, busy \
     FROM (VALUES (1)) AS always LEFT JOIN \
         (SELECT pool, sum(slots)::bigint AS slots, sum(busy)::bigint AS busy FROM workers \
          WHERE NOT draining AND seen_at > clock_timestamp() - $1 * interval '1 microsecond' \
          GROUP BY pool) AS pools ON true";

const ATTEMPT: &str = "SELECT job_id, current_dispatch, current_delivery FROM runs WHERE job_id = $1";
const COUNT: &str = "SELECT count(*) FROM runs";
const COUNT_OF_STATUS: &str = "SELECT count(*) FROM runs WHERE status = $1";
const PING: &str = "SELECT 1";

pub(super) async fn ping(pool: &PgPool) -> Result<(), Failure> {
    sqlx::query(PING).execute(pool).await?;
    Ok(())
}

pub(super) async fn run(pool: &PgPool, job: &JobId) -> Result<Option<RunRecord>, Failure> {
    let mut view = pool.begin_with(BEGIN).await?;
    let row: Option<RunRow> = sqlx::query_as(RUN).bind(job.as_str()).fetch_optional(&mut *view).await?;
    let records = complete(&mut view, row.into_iter().collect()).await?;
    view.commit().await?;
    Ok(records.into_iter().next())
}

pub(super) async fn runs(pool: &PgPool, query: &RunQuery) -> Result<Vec<RunRecord>, Failure> {
    let mut view = pool.begin_with(BEGIN).await?;
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

pub(super) async fn count(pool: &PgPool, status: Option<JobStatus>) -> Result<u64, Failure> {
    let count: i64 = match status {
        None => sqlx::query_scalar(COUNT).fetch_one(pool).await?,
        Some(status) => sqlx::query_scalar(COUNT_OF_STATUS).bind(status.as_str()).fetch_one(pool).await?,
    };
    number("count", count)
}

pub(super) async fn attempt(pool: &PgPool, job: &JobId) -> Result<Option<RunningAttempt>, Failure> {
    let row: Option<AttemptRow> = sqlx::query_as(ATTEMPT).bind(job.as_str()).fetch_optional(pool).await?;
    let Some((job_id, attempt)) = row.map(AttemptRow::into_attempt).transpose()? else { return Ok(None) };
    Ok(attempt.map(|attempt| RunningAttempt { job_id, attempt }))
}

/// Adds to the runs what hangs on them.
async fn complete(view: &mut PgConnection, runs: Vec<RunRow>) -> Result<Vec<RunRecord>, Failure> {
    let (mut jobs, mut dispatches, mut deliveries) = (Vec::new(), Vec::new(), Vec::new());
    for run in &runs {
        if let (Some(dispatch), Some(delivery)) = (run.current_dispatch, run.current_delivery) {
            jobs.push(run.job_id.clone());
            dispatches.push(dispatch);
            deliveries.push(delivery);
        }
    }
    let (mut steps, mut artifacts): (Vec<StepRow>, Vec<ArtifactRow>) = (Vec::new(), Vec::new());
    if !jobs.is_empty() {
        let query = sqlx::query_as(STEPS).bind(&jobs).bind(&dispatches).bind(&deliveries);
        steps = query.fetch_all(&mut *view).await?;
        let query = sqlx::query_as(ARTIFACTS).bind(&jobs).bind(&dispatches).bind(&deliveries);
        artifacts = query.fetch_all(&mut *view).await?;
    }
    let queue = if runs.iter().any(RunRow::is_queued) { Some(queue(view).await?) } else { None };
    assemble(runs, steps, artifacts, queue.as_ref())
}

async fn queue(view: &mut PgConnection) -> Result<Queue, Failure> {
    let rows: Vec<PoolRow> = sqlx::query_as(POOLS).bind(micros(SEEN_WITHIN)).fetch_all(view).await?;
    Ok(Queue::new(rows))
}
