//! Durable consumers: made when they are not there, changed when the lease is another one.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};

use super::NatsBus;
use super::stream::Plan;
use crate::bus::BusError;

/// What sets one consumer apart from others.
pub(super) struct ConsumerPlan {
    pub(super) name: String,
    /// Which of the stream's subjects; all when empty.
    pub(super) filter: String,
    /// How long a delivered message may stay silent.
    pub(super) lease: Duration,
    /// How many messages may be delivered and not acknowledged at once.
    pub(super) max_in_hand: i64,
}

impl ConsumerPlan {
    fn config(&self) -> Config {
        Config {
            durable_name: Some(self.name.clone()),
            filter_subject: self.filter.clone(),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.lease,
            max_deliver: -1,
            max_ack_pending: self.max_in_hand,
            ..Default::default()
        }
    }
}

impl NatsBus {
    /// Opens a consumer. Asked for first: a worker's user may not be allowed to make it.
    pub(super) async fn consumer(
        &self,
        stream: &Plan,
        plan: &ConsumerPlan,
    ) -> Result<PullConsumer, BusError> {
        let stream = self.stream(stream).await?;
        let consumer: PullConsumer = stream
            .get_or_create_consumer(&plan.name, plan.config())
            .await
            .map_err(|e| self.unavailable(e))?;
        if consumer.cached_info().config.ack_wait == plan.lease {
            return Ok(consumer);
        }
        // An operator has changed the lease. With the old one, a job that is alive might come again.
        tracing::info!(consumer = plan.name, lease = ?plan.lease, "changing a consumer's lease");
        stream.update_consumer(plan.config()).await.map_err(|e| self.unavailable(e))
    }
}
