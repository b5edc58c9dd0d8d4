//! Taking over the records of runs that ended elsewhere.

use sqlx::sqlite::SqlitePool;
use sqlx::types::Json;

use super::clock::now;
use super::connection::WRITE;
use super::{query, save};
use crate::domain::id::WorkerName;
use crate::domain::retry::Retry;
use crate::domain::run::{CleanupStatus, EndCause, RunRecord};
use crate::store::Import;
use crate::store::failure::Failure;
use crate::store::import::{ATTEMPT, GENERATION, imported_form, rows};
use crate::store::stamp::Stamp;

const INSERT: &str = concat!(
    "INSERT INTO runs (job_id, status, fingerprint, pool, image_ref, created_at, started_at, \
     ttl_expiry, finished_at, end_cause, error, notes, built_image, current_dispatch, current_delivery, attempt, \
     worker, sandbox_id, cleanup_status, generation, retry, ttl_seconds, max_attempts, mirrored_at, imported_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
     ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, 0, 1, ",
    now!(),
    ", ",
    now!(),
    ") ON CONFLICT (job_id) DO NOTHING"
);

pub(super) async fn import(
    writer: &SqlitePool,
    readers: &SqlitePool,
    record: &RunRecord,
) -> Result<Import, Failure> {
    if !record.status.is_terminal() {
        return Ok(Import::NotTerminal);
    }
    let record = &imported_form(record);
    let mut transaction = writer.begin_with(WRITE).await?;
    let inserted = sqlx::query(INSERT)
        .bind(record.job_id.as_str())
        .bind(record.status.as_str())
        .bind(record.fingerprint.as_deref())
        .bind(record.pool.as_str())
        .bind(record.image_ref.as_deref())
        .bind(Stamp::from(record.created_at))
        .bind(record.started_at.map(Stamp::from))
        .bind(record.ttl_expiry.map(Stamp::from))
        .bind(record.finished_at.map(Stamp::from))
        .bind(record.end_cause.map(EndCause::as_str))
        .bind(record.error.as_deref())
        .bind(Json(&record.notes))
        .bind(record.built_image.as_ref().map(Json))
        .bind(i64::from(ATTEMPT.dispatch))
        .bind(i64::from(ATTEMPT.delivery))
        .bind(i64::from(record.attempt))
        .bind(record.worker.as_ref().map(WorkerName::as_str))
        .bind(record.sandbox_id.as_deref())
        .bind(record.cleanup_status.map(CleanupStatus::as_str))
        .bind(GENERATION)
        .bind(Json(Retry::default()))
        .execute(&mut *transaction)
        .await?;
    if inserted.rows_affected() == 1 {
        save::save(&mut transaction, &rows(record)).await?;
        transaction.commit().await?;
        return Ok(Import::New);
    }
    transaction.rollback().await?;
    let known = query::run(readers, &record.job_id).await?;
    Ok(if known.as_ref() == Some(record) { Import::Known } else { Import::Taken })
}
