//! What the scheduler needs: runs on their way to the bus.

use std::time::Duration;

use sqlx::sqlite::SqlitePool;

use super::clock::now;
use super::connection::WRITE;
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
    " FROM runs WHERE status = 'queued' AND published_at IS NULL AND generation = ?1 \
     AND coalesce(not_before, queued_at + ?2) <= ",
    now!(),
    " ORDER BY created_at, job_id LIMIT ?3"
);

const PUBLISHED: &str = concat!(
    "UPDATE runs SET published_at = ",
    now!(),
    " WHERE job_id = ?1 AND dispatch = ?2 AND published_at IS NULL"
);

const MESSAGE: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM runs WHERE job_id = ?1 AND status IN ('queued', 'running')"
);

pub(super) async fn due(
    writer: &SqlitePool,
    generation: &str,
    grace: Duration,
    limit: u32,
) -> Result<Vec<JobMessage>, Failure> {
    let mut transaction = writer.begin_with(WRITE).await?;
    let abandoned = held::hold_abandoned(&mut transaction, generation, &generation_lease(""), limit).await?;
    let mut changes = Changes::default();
    for run in abandoned {
        take_back(run, generation, &mut changes);
    }
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

pub(super) async fn published(writer: &SqlitePool, jobs: &[(JobId, u32)]) -> Result<(), Failure> {
    let mut transaction = writer.begin_with(WRITE).await?;
    for (job, dispatch) in jobs {
        let query = sqlx::query(PUBLISHED).bind(job.as_str()).bind(i64::from(*dispatch));
        query.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn message(readers: &SqlitePool, job: &JobId) -> Result<Option<JobMessage>, Failure> {
    let row: Option<MessageRow> = sqlx::query_as(MESSAGE).bind(job.as_str()).fetch_optional(readers).await?;
    row.map(JobMessage::try_from).transpose()
}
