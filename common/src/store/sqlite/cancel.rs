//! Users' wishes to cancel.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqlitePool;

use super::connection::WRITE;
use super::{held, save};
use crate::domain::id::JobId;
use crate::store::Cancelled;
use crate::store::changes::Changes;
use crate::store::failure::Failure;
use crate::store::stamp::micros;
use crate::store::wish;

pub(super) async fn cancel(
    writer: &SqlitePool,
    job: &JobId,
    at: DateTime<Utc>,
) -> Result<Option<Cancelled>, Failure> {
    let mut transaction = writer.begin_with(WRITE).await?;
    let runs = held::hold(&mut transaction, &[job.to_string()]).await?;
    let Some(run) = runs.into_iter().next() else { return Ok(None) };
    let (cancelled, changes) = wish::cancel(run, at);
    save::save(&mut transaction, &changes).await?;
    transaction.commit().await?;
    Ok(Some(cancelled))
}

pub(super) async fn end_cancelled(
    writer: &SqlitePool,
    silent_for: Duration,
    limit: u32,
) -> Result<Vec<JobId>, Failure> {
    let mut transaction = writer.begin_with(WRITE).await?;
    let mut changes = Changes::default();
    let runs = held::hold_cancelled(&mut transaction, micros(silent_for), limit).await?;
    let jobs = runs.iter().map(|run| run.job_id.clone()).collect();
    for run in runs {
        wish::end_unheard(run, &mut changes);
    }
    save::save(&mut transaction, &changes).await?;
    transaction.commit().await?;
    Ok(jobs)
}
