//! Events: published with an id, pulled in batches by whoever records.

use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Batch;
use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt};

use super::NatsBus;
use super::consumer::ConsumerPlan;
use super::error::unavailable;
use super::job::delivery;
use super::lease::NatsLease;
use super::stream::EVENTS;
use crate::bus::{BusError, EventDelivery, EventQueue};
use crate::domain::event::Event;

/// The consumer that all recorders share.
const CONSUMER: &str = "recorder";
/// How long one request for events waits at the server.
const PULL: Duration = Duration::from_secs(10);
/// How many events may be in hand at once.
const MAX_IN_HAND: i64 = 10_000;

impl NatsBus {
    pub(super) async fn put_event(&self, event: &Event) -> Result<(), BusError> {
        let subject = format!("orcaops.events.{}", event.job_id);
        let id = format!("{}.{}.{}", event.job_id, event.attempt, event.seq);
        self.put(&EVENTS, "an event", subject, id, event).await
    }

    pub(super) async fn event_queue(&self, lease: Duration) -> Result<Events, BusError> {
        let plan = ConsumerPlan {
            name: CONSUMER.to_owned(),
            filter: String::new(),
            lease,
            max_in_hand: MAX_IN_HAND,
        };
        let consumer = self.consumer(&EVENTS, &plan).await?;
        Ok(Events { consumer, request: None, address: self.address.clone() })
    }
}

/// The queue of events.
pub(super) struct Events {
    consumer: PullConsumer,
    /// The request under way. Kept when nobody waits for it any more: its events would be lost for a lease.
    request: Option<Batch>,
    address: String,
}

impl Events {
    fn delivered(&self, mut message: async_nats::jetstream::Message) -> EventDelivery {
        EventDelivery {
            event: serde_json::from_slice(&message.payload).map_err(|e| e.to_string()),
            delivery: delivery(&message),
            lease: Box::new(NatsLease::new(&mut message, &self.address)),
        }
    }
}

#[async_trait]
impl EventQueue for Events {
    async fn next(&mut self, max: usize) -> Result<Vec<EventDelivery>, BusError> {
        loop {
            let request = match &mut self.request {
                Some(request) => request,
                none => {
                    let batch = self.consumer.batch().max_messages(max.max(1)).expires(PULL).messages();
                    none.insert(batch.await.map_err(|e| unavailable(&self.address, e))?)
                }
            };
            let mut messages = match request.next().await {
                Some(Ok(message)) => vec![message],
                Some(Err(e)) => {
                    self.request = None;
                    return Err(unavailable(&self.address, e));
                }
                None => {
                    self.request = None;
                    continue;
                }
            };
            // What has arrived with it comes along; nothing is waited for.
            while messages.len() < max
                && let Some(Some(Ok(message))) = request.next().now_or_never()
            {
                messages.push(message);
            }
            return Ok(messages.into_iter().map(|m| self.delivered(m)).collect());
        }
    }
}
