//! Says what happens to an attempt, in order, until it is heard.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use orcaops_common::bus::{Address, Bus};
use orcaops_common::domain::control::{ApiCall, Claimed, RunningAttempt};
use orcaops_common::domain::event::{EVENT_VERSION, Event, EventBody};
use orcaops_common::domain::id::WorkerName;
use orcaops_common::domain::state::Refusal;

use super::outcome::Interrupt;
use crate::registry::StopSignal;

/// How long the API may take to answer a claim until the attempt goes on without it.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause before an event that the bus did not take is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How long an event that no decision waits for is tried.
const BEST_EFFORT: Duration = Duration::from_secs(30);

/// What became of a claim.
pub(crate) enum Claim {
    /// The attempt may run.
    Granted {
        /// When the job's time is over, where an earlier attempt began it.
        ttl_expiry: Option<DateTime<Utc>>,
    },
    /// It may not.
    Refused(Refusal),
}

/// Speaks for one attempt.
pub(crate) struct Reporter {
    bus: Arc<dyn Bus>,
    attempt: RunningAttempt,
    number: u32,
    worker: WorkerName,
    seq: u64,
    stop: StopSignal,
}

impl Reporter {
    pub(crate) fn new(
        bus: Arc<dyn Bus>,
        attempt: RunningAttempt,
        number: u32,
        worker: WorkerName,
        stop: StopSignal,
    ) -> Self {
        Self { bus, attempt, number, worker, seq: 0, stop }
    }

    fn event(&mut self, body: EventBody) -> Event {
        self.seq += 1;
        Event {
            v: EVENT_VERSION,
            job_id: self.attempt.job_id.clone(),
            attempt: self.attempt.attempt,
            number: self.number,
            seq: self.seq,
            at: Utc::now(),
            worker: self.worker.clone(),
            body,
        }
    }

    /// Asks whether the attempt may run. Where nobody can answer it may: the recorder decides later.
    pub(crate) async fn claim(&mut self) -> Result<Claim, Interrupt> {
        let event = self.event(EventBody::Started);
        let question = serde_json::to_vec(&ApiCall::Claim { event: event.clone() }).unwrap_or_default();
        let answer = match self.bus.request(&Address::Api, Bytes::from(question), CLAIM_TIMEOUT).await {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        match answer {
            Ok(Claimed::Granted { ttl_expiry }) => return Ok(Claim::Granted { ttl_expiry }),
            Ok(Claimed::Refused { refusal }) => return Ok(Claim::Refused(refusal)),
            Ok(Claimed::Unavailable) => tracing::warn!("the store is away; the attempt starts unclaimed"),
            Err(reason) => tracing::warn!(reason, "no answer to a claim; the attempt starts unclaimed"),
        }
        self.send(event).await?;
        Ok(Claim::Granted { ttl_expiry: None })
    }

    /// Says something; returns once the bus holds it. Tries until it does or the attempt counts no more.
    pub(crate) async fn say(&mut self, body: EventBody) -> Result<(), Interrupt> {
        let event = self.event(body);
        self.send(event).await
    }

    async fn send(&mut self, event: Event) -> Result<(), Interrupt> {
        let bus = Arc::clone(&self.bus);
        tokio::select! {
            biased;
            why = self.stop.silenced() => Err(Interrupt::Stopped(why)),
            () = publish(&*bus, &event) => Ok(()),
        }
    }

    /// Says something that nothing depends on.
    pub(crate) async fn mention(&mut self, body: EventBody) {
        let event = self.event(body);
        if tokio::time::timeout(BEST_EFFORT, publish(&*self.bus, &event)).await.is_err() {
            tracing::warn!(job.id = %self.attempt.job_id, "the bus did not take an event");
        }
    }
}

/// Publishes an event, however often that has to be tried.
pub(crate) async fn publish(bus: &dyn Bus, event: &Event) {
    while let Err(e) = bus.publish_event(event).await {
        tracing::warn!(error = %e, job.id = %event.job_id, "cannot publish an event; trying again");
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
