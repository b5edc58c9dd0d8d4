//! What the scheduler needs: runs on their way to the bus.

use std::time::Duration;

use sqlx::postgres::PgPool;

use super::{held, save};
use crate::domain::id::JobId;
use crate::domain::message::JobMessage;
use crate::store::apply::take_back;
use crate::store::changes::Changes;
use crate::store::columns::message_columns;
use crate::store::failure::Failure;
use crate::store::generation_lease;
use crate::store::held::MessageRow;
use crate::store::stamp::micros;

const DUE: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM runs WHERE status = 'queued' AND published_at IS NULL AND generation = $1 \
     AND coalesce(not_before, queued_at + $2 * interval '1 microsecond') <= clock_timestamp() \
     ORDER BY created_at, job_id LIMIT $3"
);

const PUBLISHED: &str = "WITH given AS ( \
         SELECT runs.job_id FROM runs JOIN unnest($1::text[], $2::bigint[]) AS n (job_id, dispatch) \
             ON runs.job_id = n.job_id AND runs.dispatch = n.dispatch \
         WHERE runs.published_at IS NULL ORDER BY runs.job_id FOR UPDATE OF runs) \
     UPDATE runs SET published_at = clock_timestamp() FROM given WHERE runs.job_id = given.job_id";

const MESSAGE: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM runs WHERE job_id = $1 AND status IN ('queued', 'running')"
);

pub(super) async fn due(
    pool: &PgPool,
    generation: &str,
    grace: Duration,
    limit: u32,
) -> Result<Vec<JobMessage>, Failure> {
    let mut transaction = pool.begin().await?;
    let abandoned = held::hold_abandoned(&mut transaction, generation, &generation_lease(""), limit).await?;
    let mut changes = Changes::default();
    for run in abandoned {
        take_back(run, generation, &mut changes);
    }
    changes.runs.sort_by(|a, b| a.job_id.cmp(&b.job_id));
    save::save(&mut transaction, &changes).await?;
    let rows: Vec<MessageRow> = sqlx::query_as(DUE)
        .bind(generation)
        .bind(micros(grace))
        .bind(i64::from(limit))
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;
    rows.into_iter().map(JobMessage::try_from).collect()
}

pub(super) async fn published(pool: &PgPool, jobs: &[(JobId, u32)]) -> Result<(), Failure> {
    let (ids, dispatches): (Vec<_>, Vec<_>) =
        jobs.iter().map(|(job, dispatch)| (job.to_string(), i64::from(*dispatch))).unzip();
    sqlx::query(PUBLISHED).bind(ids).bind(dispatches).execute(pool).await?;
    Ok(())
}

pub(super) async fn message(pool: &PgPool, job: &JobId) -> Result<Option<JobMessage>, Failure> {
    let row: Option<MessageRow> = sqlx::query_as(MESSAGE).bind(job.as_str()).fetch_optional(pool).await?;
    row.map(JobMessage::try_from).transpose()
}
