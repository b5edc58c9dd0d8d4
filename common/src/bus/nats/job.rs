//! Jobs: published with an id, pulled one at a time.

use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Batch;
use async_trait::async_trait;
use futures_util::StreamExt;

use super::NatsBus;
use super::consumer::ConsumerPlan;
use super::error::unavailable;
use super::lease::NatsLease;
use super::stream::JOBS;
use crate::bus::{BusError, Delivery, JobQueue};
use crate::domain::id::PoolName;
use crate::domain::message::JobMessage;

/// How long one request for a job waits at the server. A worker that ends leaves a request behind for no longer.
const PULL: Duration = Duration::from_secs(5);
/// How many jobs of a pool may be in work at once, in the whole fleet.
const MAX_IN_WORK: i64 = 100_000;

impl NatsBus {
    pub(super) async fn put_job(&self, job: &JobMessage) -> Result<(), BusError> {
        let id = format!("{}.{}", job.job_id, job.dispatch);
        self.put(&JOBS, "a job", subject(&job.pool), id, job).await
    }

    pub(super) async fn job_queue(&self, pool: &PoolName, lease: Duration) -> Result<Jobs, BusError> {
        let plan = ConsumerPlan {
            name: format!("workers-{pool}"),
            filter: subject(pool),
            lease,
            max_in_hand: MAX_IN_WORK,
        };
        let consumer = self.consumer(&JOBS, &plan).await?;
        Ok(Jobs { consumer, request: None, address: self.address.clone() })
    }
}

fn subject(pool: &PoolName) -> String {
    // The last token is room for priorities.
    format!("orcaops.jobs.{pool}.0")
}

/// The jobs of a pool.
pub(super) struct Jobs {
    consumer: PullConsumer,
    /// The request under way. Kept when nobody waits for it any more: its job would be lost for a lease.
    request: Option<Batch>,
    address: String,
}

#[async_trait]
impl JobQueue for Jobs {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        loop {
            let request = match &mut self.request {
                Some(request) => request,
                none => {
                    let batch = self.consumer.batch().max_messages(1).expires(PULL).messages();
                    none.insert(batch.await.map_err(|e| unavailable(&self.address, e))?)
                }
            };
            let mut message = match request.next().await {
                Some(Ok(message)) => message,
                Some(Err(e)) => {
                    self.request = None;
                    return Err(unavailable(&self.address, e));
                }
                None => {
                    self.request = None;
                    continue;
                }
            };
            return Ok(Delivery {
                job: serde_json::from_slice(&message.payload).map_err(|e| e.to_string()),
                delivery: delivery(&message),
                lease: Box::new(NatsLease::new(&mut message, &self.address)),
            });
        }
    }
}

/// How often a message has been delivered.
pub(super) fn delivery(message: &async_nats::jetstream::Message) -> u32 {
    message.info().map_or(1, |info| u32::try_from(info.delivered).unwrap_or(u32::MAX))
}
