//! Accepts jobs: into the store first, then onto the bus.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use futures_util::{StreamExt, TryStreamExt};
use orcaops_common::bus::{Bus, BusError};
use orcaops_common::domain::id::JobId;
use orcaops_common::domain::job::JobSpec;
use orcaops_common::domain::message::JobMessage;
use orcaops_common::domain::run::RunRecord;
use orcaops_common::store::{NewRun, Submission};

use crate::error::chain;
use crate::failpoint;
use crate::generation::Generation;
use crate::intake::Intake;
use crate::problem::{FieldProblem, Kind, Problem};
use crate::published::Published;
use crate::signals::Signals;

/// How long a submission waits for the bus. The run is safe in the store; the scheduler repairs the rest.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(2);
/// How many of a spec's uploads are looked up at once.
const LOOKUPS_AT_ONCE: usize = 8;
/// Digits kept of a second: what every store keeps.
const SECOND_DIGITS: u16 = 6;

/// Accepts jobs.
#[derive(Clone)]
pub(crate) struct Submitter {
    pub(crate) intake: Intake,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) generation: Generation,
    pub(crate) published: Published,
    pub(crate) signals: Signals,
}

/// What became of a submission.
pub(crate) enum Accepted {
    /// The job is new.
    New {
        /// Its id.
        job_id: JobId,
        /// When it was accepted.
        created_at: DateTime<Utc>,
    },
    /// The same job had been accepted before.
    Known(Box<RunRecord>),
}

impl Submitter {
    /// Accepts a job durably, and puts it on the bus if that can be had soon.
    pub(crate) async fn submit(&self, mut spec: JobSpec) -> Result<Accepted, Problem> {
        self.check_uploads(&spec).await?;
        let job_id = spec.job_id.get_or_insert_with(JobId::generate).clone();
        let created_at = Utc::now().trunc_subsecs(SECOND_DIGITS);
        let run = NewRun {
            job_id: job_id.clone(),
            fingerprint: spec.fingerprint(),
            spec,
            created_at,
            generation: self.generation.current().await?,
        };
        match self.intake.submit(&run).await? {
            Submission::Created => {}
            Submission::Existing(record) => return Ok(Accepted::Known(Box::new(record))),
            Submission::Taken => {
                let detail =
                    format!("job id `{job_id}` is taken by a job with another spec; choose another id");
                return Err(Problem::new(Kind::JobIdTaken, detail));
            }
        }
        failpoint::reached("after_insert");
        self.publish(run).await;
        Ok(Accepted::New { job_id, created_at })
    }

    async fn publish(&self, run: NewRun) {
        let message = JobMessage {
            job_id: run.job_id,
            pool: run.spec.pool.clone(),
            dispatch: 1,
            attempts_spent: 0,
            max_attempts: run.spec.retry.max_attempts,
            ttl_expiry: None,
            spec: run.spec,
        };
        let reason = match tokio::time::timeout(PUBLISH_PATIENCE, self.bus.publish_job(&message)).await {
            Ok(Ok(())) => return self.published.note(message.job_id, message.dispatch),
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no answer within {} s", PUBLISH_PATIENCE.as_secs()),
        };
        tracing::warn!(job.id = %message.job_id, reason, "job accepted but not published; the scheduler will");
        self.signals.run_may_be_due();
    }

    async fn check_uploads(&self, spec: &JobSpec) -> Result<(), Problem> {
        let named = spec.inputs.iter().enumerate().filter_map(|(n, input)| Some((n, input.object.clone()?)));
        let missing: Vec<FieldProblem> = futures_util::stream::iter(named.collect::<Vec<_>>())
            .map(|(n, object)| async move {
                match self.bus.object_info(&object).await {
                    Ok(_) => Ok(None),
                    Err(BusError::NotFound { .. }) => Ok(Some(FieldProblem {
                        pointer: format!("/inputs/{n}/object"),
                        detail: format!("there is no upload `{object}`; send it to /orcaops/uploads first"),
                    })),
                    Err(error) => Err(error),
                }
            })
            .buffered(LOOKUPS_AT_ONCE)
            .try_filter_map(|missing| std::future::ready(Ok(missing)))
            .try_collect()
            .await?;
        if missing.is_empty() { Ok(()) } else { Err(Problem::invalid_spec(missing)) }
    }
}
