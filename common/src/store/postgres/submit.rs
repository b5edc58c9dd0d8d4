//! Accepting jobs.

use std::collections::HashSet;

use serde_json::Value;
use sqlx::postgres::PgPool;
use sqlx::types::Json;

use super::query;
use crate::domain::job::JobSpec;
use crate::store::failure::Failure;
use crate::store::stamp::Stamp;
use crate::store::{NewRun, Submission, stored_form};

/// A run that is there at the insertion may be deleted before it is looked at; so often is it tried again.
const TRIES: u32 = 5;

/// In the order of their ids, so that two such statements never wait for each other.
const INSERT: &str = "INSERT INTO runs (job_id, status, spec, fingerprint, pool, image_ref, ttl_seconds, \
     created_at, generation, max_attempts, retry) \
     SELECT job_id, 'queued', spec, fingerprint, pool, image_ref, ttl_seconds, created_at, generation, max_attempts, \
     retry FROM UNNEST($1::text[], $2::jsonb[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[], \
     $8::text[], $9::bigint[], $10::jsonb[]) AS new (job_id, spec, fingerprint, pool, image_ref, ttl_seconds, created_at, \
     generation, max_attempts, retry) \
     ORDER BY job_id COLLATE \"C\" ON CONFLICT (job_id) DO NOTHING RETURNING job_id";

const SPEC: &str = "SELECT spec FROM runs WHERE job_id = $1";

pub(super) async fn submit_new(pool: &PgPool, runs: &[NewRun]) -> Result<Vec<bool>, Failure> {
    let specs: Vec<Json<Value>> =
        runs.iter().map(|run| spec_of(run).map(Json)).collect::<Result<_, Failure>>()?;
    let texts = |text: fn(&NewRun) -> String| runs.iter().map(text).collect::<Vec<_>>();
    let created: Vec<Stamp> = runs.iter().map(|run| Stamp::from(run.created_at)).collect();
    let inserted: Vec<String> = sqlx::query_scalar(INSERT)
        .bind(texts(|run| run.job_id.to_string()))
        .bind(specs)
        .bind(texts(|run| run.fingerprint.clone()))
        .bind(texts(|run| run.spec.pool.to_string()))
        .bind(texts(|run| stored_form::text(&run.spec.sandbox.image)))
        .bind(runs.iter().map(|run| i64::from(run.spec.ttl_seconds)).collect::<Vec<_>>())
        .bind(created)
        .bind(texts(|run| run.generation.clone()))
        .bind(runs.iter().map(|run| i64::from(run.spec.retry.max_attempts)).collect::<Vec<_>>())
        .bind(runs.iter().map(|run| Json(run.spec.retry.clone())).collect::<Vec<_>>())
        .fetch_all(pool)
        .await?;
    let mut inserted: HashSet<String> = inserted.into_iter().collect();
    Ok(runs.iter().map(|run| inserted.remove(run.job_id.as_str())).collect())
}

fn spec_of(run: &NewRun) -> Result<Value, Failure> {
    stored_form::spec(&run.spec).map_err(|error| Failure::Sql(sqlx::Error::Encode(error.into())))
}

pub(super) async fn submit(pool: &PgPool, run: &NewRun) -> Result<Submission, Failure> {
    for _ in 0..TRIES {
        if submit_new(pool, std::slice::from_ref(run)).await? == [true] {
            return Ok(Submission::Created);
        }
        let known: Option<Option<Json<JobSpec>>> =
            sqlx::query_scalar(SPEC).bind(run.job_id.as_str()).fetch_optional(pool).await?;
        match known {
            // Of an imported run it is not known whether it was told the same.
            Some(None) => return Ok(Submission::Taken),
            Some(Some(Json(known))) if !stored_form::is_stored_form(&known, &run.spec) => {
                return Ok(Submission::Taken);
            }
            Some(Some(_)) => {
                if let Some(record) = query::run(pool, &run.job_id).await? {
                    return Ok(Submission::Existing(record));
                }
            }
            None => {}
        }
    }
    Ok(Submission::Taken)
}
