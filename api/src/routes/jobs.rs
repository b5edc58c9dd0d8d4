//! Submit, list, look at and cancel jobs.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use orcaops_common::domain::control::StopReason;
use orcaops_common::domain::id::JobId;
use orcaops_common::domain::run::{JobStatus, RunRecord};
use orcaops_common::domain::state::CancelDecision;
use orcaops_common::store::Store;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::body::SpecBody;
use super::page;
use crate::openapi::Tag;
use crate::problem::Problem;
use crate::signals::Signals;
use crate::stopper::Stopper;
use crate::submission::{Accepted, Submitter};

/// An accepted job.
#[derive(Object)]
pub(super) struct JobSubmitResponse {
    /// The job.
    job_id: JobId,
    /// Where it stands.
    status: JobStatus,
    /// When it was accepted.
    created_at: DateTime<Utc>,
    /// What happened, in words.
    message: String,
}

/// A page of jobs, newest first.
#[derive(Object)]
struct JobListResponse {
    /// The jobs' records.
    jobs: Vec<RunRecord>,
    /// How many there are on this page.
    count: u64,
    /// Pass it as `after` to get the next page; absent when there is none.
    next: Option<String>,
}

/// Where a job stands.
#[derive(Object)]
pub(super) struct JobStatusResponse {
    /// The job.
    job_id: JobId,
    /// Where it stands.
    status: JobStatus,
    /// All that is known about it.
    record: RunRecord,
}

/// What became of a wish to cancel.
#[derive(Object)]
struct JobCancelResponse {
    /// The job.
    job_id: JobId,
    /// Where it stands now.
    status: JobStatus,
    /// What happens next, in words.
    message: String,
}

/// The answer to a submission.
#[derive(ApiResponse)]
pub(super) enum SubmitAnswer {
    /// Accepted. From here on the job survives a failure of any part of the service.
    #[oai(status = 201)]
    Created(Json<JobSubmitResponse>),
    /// The same job, with the same spec, had been accepted before: nothing was done.
    #[oai(status = 200)]
    Existing(Json<JobSubmitResponse>),
}

impl From<Accepted> for SubmitAnswer {
    fn from(accepted: Accepted) -> Self {
        match accepted {
            Accepted::New { job_id, created_at } => Self::Created(Json(JobSubmitResponse {
                job_id,
                status: JobStatus::Queued,
                created_at,
                message: "job accepted".to_owned(),
            })),
            Accepted::Known(record) => Self::Existing(Json(JobSubmitResponse {
                job_id: record.job_id,
                status: record.status,
                created_at: record.created_at,
                message: "this job was accepted before".to_owned(),
            })),
        }
    }
}

pub(crate) struct JobsApi;

#[OpenApi(prefix_path = "/orcaops", tag = "Tag::Jobs")]
impl JobsApi {
    /// Submit a job
    ///
    /// Repeating a submission with the same `job_id` and the same spec is safe: it returns the job that exists.
    #[oai(path = "/jobs", method = "post", operation_id = "submit_job")]
    async fn submit(&self, spec: SpecBody, submitter: Data<&Submitter>) -> Result<SubmitAnswer, Problem> {
        Ok(submitter.submit(spec.0).await?.into())
    }

    /// List jobs, newest first
    #[oai(path = "/jobs", method = "get", operation_id = "list_jobs")]
    async fn list(
        &self,
        /// Only jobs of this status.
        status: Query<Option<JobStatus>>,
        /// Skip so many first. `after` is quicker and misses nothing while jobs arrive.
        #[oai(default)]
        offset: Query<u64>,
        /// At most so many.
        #[oai(default = "page::default_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<u32>,
        /// `next` of the page before.
        after: Query<Option<String>>,
        store: Data<&Arc<dyn Store>>,
    ) -> Result<Json<JobListResponse>, Problem> {
        let jobs = store.runs(&page::query(status.0, offset.0, limit.0, after.0.as_deref())?).await?;
        let next = page::next(&jobs, limit.0);
        Ok(Json(JobListResponse { count: jobs.len() as u64, jobs, next }))
    }

    /// Where a job stands
    #[oai(path = "/jobs/:job_id", method = "get", operation_id = "job_status")]
    async fn status(
        &self,
        job_id: Path<String>,
        store: Data<&Arc<dyn Store>>,
    ) -> Result<Json<JobStatusResponse>, Problem> {
        Ok(Json(status_of(&job_id, &store).await?))
    }

    /// Cancel a job
    ///
    /// A queued job is cancelled at once. A running one ends within seconds. One that has ended stays as it is.
    #[oai(path = "/jobs/:job_id/cancel", method = "post", operation_id = "cancel_job")]
    async fn cancel(
        &self,
        job_id: Path<String>,
        store: Data<&Arc<dyn Store>>,
        stopper: Data<&Stopper>,
        signals: Data<&Signals>,
    ) -> Result<Json<JobCancelResponse>, Problem> {
        let job = known_id(&job_id)?;
        let cancelled = store.cancel(&job, Utc::now()).await?.ok_or_else(|| Problem::no_such_job(&job_id))?;
        let message = match cancelled.decision {
            CancelDecision::Cancelled => {
                signals.run_may_have_ended(&job);
                "job cancelled".to_owned()
            }
            CancelDecision::Requested => {
                if let Some((worker, attempt)) = cancelled.running {
                    stopper.stop(worker, job.clone(), attempt, StopReason::Cancelled);
                }
                "the job is being cancelled".to_owned()
            }
            CancelDecision::AlreadyTerminal => {
                format!("the job had ended before: {}", cancelled.status.as_str())
            }
        };
        Ok(Json(JobCancelResponse { job_id: job, status: cancelled.status, message }))
    }
}

/// A job's status and record.
pub(super) async fn status_of(job_id: &str, store: &Arc<dyn Store>) -> Result<JobStatusResponse, Problem> {
    let record = record_of(job_id, store).await?;
    Ok(JobStatusResponse { job_id: record.job_id.clone(), status: record.status, record })
}

/// A job's record.
pub(super) async fn record_of(job_id: &str, store: &Arc<dyn Store>) -> Result<RunRecord, Problem> {
    store.run(&known_id(job_id)?).await?.ok_or_else(|| Problem::no_such_job(job_id))
}

/// No job can have an id that is not one.
pub(super) fn known_id(job_id: &str) -> Result<JobId, Problem> {
    JobId::new(job_id).map_err(|_| Problem::no_such_job(job_id))
}
