//! Records of what ran.

use std::sync::Arc;

use orcaops_common::domain::run::{JobStatus, RunRecord};
use orcaops_common::store::Store;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::jobs::{JobStatusResponse, status_of};
use super::page;
use crate::openapi::Tag;
use crate::problem::Problem;

/// A page of runs, newest first.
#[derive(Object)]
struct RunListResponse {
    /// The records.
    runs: Vec<RunRecord>,
    /// How many runs there are in all, of the status asked for.
    total: u64,
    /// How many were skipped.
    offset: u64,
    /// The most that this page may hold.
    limit: u32,
    /// Pass it as `after` to get the next page; absent when there is none.
    next: Option<String>,
}

pub(crate) struct RunsApi;

#[OpenApi(prefix_path = "/orcaops", tag = "Tag::Runs")]
impl RunsApi {
    /// List runs, newest first
    #[oai(path = "/runs", method = "get", operation_id = "list_runs")]
    async fn list(
        &self,
        /// Only runs of this status.
        status: Query<Option<JobStatus>>,
        /// Skip so many first. `after` is quicker and misses nothing while runs arrive.
        #[oai(default)]
        offset: Query<u64>,
        /// At most so many.
        #[oai(default = "page::default_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<u32>,
        /// `next` of the page before.
        after: Query<Option<String>>,
        store: Data<&Arc<dyn Store>>,
    ) -> Result<Json<RunListResponse>, Problem> {
        let query = page::query(status.0, offset.0, limit.0, after.0.as_deref())?;
        let (runs, total) = tokio::try_join!(store.runs(&query), store.count(status.0))?;
        let next = page::next(&runs, limit.0);
        Ok(Json(RunListResponse { runs, total, offset: offset.0, limit: limit.0, next }))
    }

    /// A run's record
    #[oai(path = "/runs/:job_id", method = "get", operation_id = "run_record")]
    async fn record(
        &self,
        job_id: Path<String>,
        store: Data<&Arc<dyn Store>>,
    ) -> Result<Json<JobStatusResponse>, Problem> {
        Ok(Json(status_of(&job_id, &store).await?))
    }
}
