//! What workers say of themselves, and what they should no longer run.

use std::time::Duration;

use sqlx::sqlite::SqlitePool;
use sqlx::types::Json;

use super::clock::now;
use super::connection::WRITE;
use super::held;
use crate::domain::control::{Heartbeat, StopAttempt};
use crate::store::WorkerRow;
use crate::store::columns::worker_columns;
use crate::store::failure::Failure;
use crate::store::rows::{OutcomeRow, SeenRow};
use crate::store::stamp::micros;
use crate::store::{stopping, stored_form};

const SEEN: &str = concat!(
    "INSERT INTO workers (name, pool, slots, busy, draining, version, seen_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ",
    now!(),
    ") ON CONFLICT (name) DO UPDATE SET pool = excluded.pool, slots = excluded.slots, busy = excluded.busy, \
         draining = excluded.draining, version = excluded.version, seen_at = excluded.seen_at"
);

const OUTCOMES: &str = "SELECT job_id, dispatch, delivery, outcome FROM attempts \
     WHERE job_id IN (SELECT value FROM json_each(?1)) AND outcome IS NOT NULL";

const WORKERS: &str =
    concat!("SELECT ", worker_columns!(), " FROM workers WHERE seen_at > ", now!(), " - ?1 ORDER BY name");

pub(super) async fn heartbeat(writer: &SqlitePool, beat: &Heartbeat) -> Result<Vec<StopAttempt>, Failure> {
    let mut transaction = writer.begin_with(WRITE).await?;
    sqlx::query(SEEN)
        .bind(beat.worker.as_str())
        .bind(beat.pool.as_str())
        .bind(i64::from(beat.slots))
        .bind(i64::try_from(beat.attempts.len()).unwrap_or(i64::MAX))
        .bind(beat.draining)
        .bind(stored_form::text(&beat.version))
        .execute(&mut *transaction)
        .await?;
    let mut stop = Vec::new();
    if !beat.attempts.is_empty() {
        let jobs: Vec<String> = beat.attempts.iter().map(|a| a.job_id.to_string()).collect();
        let runs = held::hold(&mut transaction, &jobs).await?;
        let outcomes: Vec<OutcomeRow> =
            sqlx::query_as(OUTCOMES).bind(Json(&jobs)).fetch_all(&mut *transaction).await?;
        stop = stopping::to_stop(&beat.attempts, &runs, outcomes)?;
    }
    transaction.commit().await?;
    Ok(stop)
}

pub(super) async fn workers(readers: &SqlitePool, within: Duration) -> Result<Vec<WorkerRow>, Failure> {
    let rows: Vec<SeenRow> = sqlx::query_as(WORKERS).bind(micros(within)).fetch_all(readers).await?;
    rows.into_iter().map(WorkerRow::try_from).collect()
}
