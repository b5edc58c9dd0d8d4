//! Accepting jobs.

use serde_json::Value;
use sqlx::sqlite::{SqliteExecutor, SqlitePool};
use sqlx::types::Json;

use super::query;
use crate::domain::job::JobSpec;
use crate::store::failure::Failure;
use crate::store::stamp::Stamp;
use crate::store::{NewRun, Submission, stored_form};

/// A run that is there at the insertion may be deleted before it is looked at; so often is it tried again.
const TRIES: u32 = 5;

const INSERT: &str = "INSERT INTO runs (job_id, status, spec, fingerprint, pool, image_ref, ttl_seconds, \
     created_at, generation, max_attempts, retry) \
     VALUES (?1, 'queued', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (job_id) DO NOTHING";

const SPEC: &str = "SELECT spec FROM runs WHERE job_id = ?1";

pub(super) async fn submit_new(writer: &SqlitePool, runs: &[NewRun]) -> Result<Vec<bool>, Failure> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let mut new = Vec::with_capacity(runs.len());
    for run in runs {
        new.push(insert(&mut *transaction, run, &spec_of(run)?).await?);
    }
    transaction.commit().await?;
    Ok(new)
}

fn spec_of(run: &NewRun) -> Result<Value, Failure> {
    stored_form::spec(&run.spec).map_err(|error| Failure::Sql(sqlx::Error::Encode(error.into())))
}

/// Whether the run was inserted: its id was free.
async fn insert(executor: impl SqliteExecutor<'_>, run: &NewRun, spec: &Value) -> Result<bool, Failure> {
    let inserted = sqlx::query(INSERT)
        .bind(run.job_id.as_str())
        .bind(Json(spec))
        .bind(&run.fingerprint)
        .bind(run.spec.pool.as_str())
        .bind(stored_form::text(&run.spec.sandbox.image))
        .bind(i64::from(run.spec.ttl_seconds))
        .bind(Stamp::from(run.created_at))
        .bind(&run.generation)
        .bind(i64::from(run.spec.retry.max_attempts))
        .bind(Json(&run.spec.retry))
        .execute(executor)
        .await?;
    Ok(inserted.rows_affected() == 1)
}

pub(super) async fn submit(
    writer: &SqlitePool,
    readers: &SqlitePool,
    run: &NewRun,
) -> Result<Submission, Failure> {
    let spec = spec_of(run)?;
    for _ in 0..TRIES {
        if insert(writer, run, &spec).await? {
            return Ok(Submission::Created);
        }
        let known: Option<Option<Json<JobSpec>>> =
            sqlx::query_scalar(SPEC).bind(run.job_id.as_str()).fetch_optional(readers).await?;
        match known {
            // Of an imported run it is not known whether it was told the same.
            Some(None) => return Ok(Submission::Taken),
            Some(Some(Json(known))) if !stored_form::is_stored_form(&known, &run.spec) => {
                return Ok(Submission::Taken);
            }
            Some(Some(_)) => {
                if let Some(record) = query::run(readers, &run.job_id).await? {
                    return Ok(Submission::Existing(record));
                }
            }
            None => {}
        }
    }
    Ok(Submission::Taken)
}
