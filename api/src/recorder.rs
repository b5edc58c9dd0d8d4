//! Turns what workers say into the record.
//!
//! An event is acknowledged only after its commit, so none is lost; the store makes a repetition harmless.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use orcaops_common::bus::{Bus, EventDelivery, Lease};
use orcaops_common::domain::control::StopReason;
use orcaops_common::domain::event::{Event, EventBody};
use orcaops_common::domain::run::CleanupStatus;
use orcaops_common::domain::state::Refusal;
use orcaops_common::store::{Recorded, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::error::chain;
use crate::signals::Signals;
use crate::stopper::Stopper;
use crate::trouble::Trouble;

/// The most events in one commit.
const BATCH: usize = 200;
/// How long the bus waits for an acknowledgement before it gives an event again.
const LEASE: Duration = Duration::from_secs(30);
/// How long a result that came before what it announces waits for it.
const EARLY_DELAY: Duration = Duration::from_millis(300);
/// From this delivery on a result is taken without what it announced: that will not come any more.
const GIVE_UP_WAITING: u32 = 10;
/// How long an event rests that the store refuses for a reason of its own.
const REFUSED_DELAY: Duration = Duration::from_secs(30);
/// How many acknowledgements are under way at once.
const ACKS_AT_ONCE: usize = 64;

/// Reads the queue of events and applies them to the store.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) signals: Signals,
    pub(crate) stopper: Stopper,
}

/// An event in hand, and what is to become of its message.
struct Held {
    event: Event,
    lease: Box<dyn Lease>,
}

enum Settle {
    Acknowledge,
    Again(Duration),
}

impl Recorder {
    /// Records until `stop`. Events in hand that are not committed by then come again later.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut reading = Trouble::new("reading events");
        while !stop.is_cancelled() {
            let mut queue = match self.bus.events(LEASE).await {
                Ok(queue) => queue,
                Err(error) if reading.wait(&error, &stop).await => continue,
                Err(_) => return,
            };
            loop {
                let batch = tokio::select! {
                    () = stop.cancelled() => return,
                    batch = queue.next(BATCH) => batch,
                };
                match batch {
                    Ok(batch) => {
                        reading.over();
                        self.take(batch, &stop).await;
                    }
                    Err(error) if reading.wait(&error, &stop).await => break,
                    Err(_) => return,
                }
            }
        }
    }

    async fn take(&self, batch: Vec<EventDelivery>, stop: &CancellationToken) {
        let (mut timely, mut overdue, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
        for EventDelivery { event, delivery, lease } in batch {
            match event {
                Ok(event) if delivery < GIVE_UP_WAITING => timely.push(Held { event, lease }),
                Ok(event) => overdue.push(Held { event, lease }),
                Err(reason) => {
                    tracing::error!(reason, "an event cannot be read and is dropped");
                    unreadable.push((lease, Settle::Acknowledge));
                }
            }
        }
        settle(unreadable).await;
        for (held, accept_gaps) in [(timely, false), (overdue, true)] {
            if !held.is_empty() {
                self.record(held, accept_gaps, stop).await;
            }
        }
    }

    async fn record(&self, held: Vec<Held>, accept_gaps: bool, stop: &CancellationToken) {
        let (events, leases): (Vec<_>, Vec<_>) = held.into_iter().map(|h| (h.event, h.lease)).unzip();
        let mut trouble = Trouble::new("recording events");
        let settled = loop {
            match keeping(&leases, self.store.record(&events, accept_gaps)).await {
                Ok(outcomes) if outcomes.len() == events.len() => {
                    trouble.over();
                    break events.iter().zip(outcomes).map(|(e, o)| self.follow_up(e, o)).collect();
                }
                Err(error) if error.is_transient() => {
                    if !keeping(&leases, trouble.wait(&error, stop)).await {
                        return;
                    }
                }
                // One event may spoil a batch; the others must not wait for it.
                Ok(_) | Err(_) => break keeping(&leases, self.one_by_one(&events, accept_gaps)).await,
            }
        };
        settle(leases.into_iter().zip(settled).collect()).await;
    }

    async fn one_by_one(&self, events: &[Event], accept_gaps: bool) -> Vec<Settle> {
        let mut settled: Vec<Settle> = Vec::with_capacity(events.len());
        for event in events {
            let outcome = self.store.record(std::slice::from_ref(event), accept_gaps).await;
            settled.push(match outcome.as_deref() {
                Ok([outcome]) => self.follow_up(event, *outcome),
                Ok(_) => Settle::Again(REFUSED_DELAY),
                Err(error) => {
                    log_refused(event, error);
                    Settle::Again(REFUSED_DELAY)
                }
            });
        }
        settled
    }

    fn follow_up(&self, event: &Event, outcome: Recorded) -> Settle {
        match outcome {
            Recorded::Applied => match event.body {
                EventBody::Finished(_) => self.signals.run_may_have_ended(&event.job_id),
                EventBody::HandedBack { .. } => {
                    self.signals.run_may_be_due();
                    self.signals.run_may_have_ended(&event.job_id);
                }
                EventBody::Cleaned { .. } => self.signals.record_changed_late(&event.job_id),
                EventBody::Started
                | EventBody::ContainerCreated { .. }
                | EventBody::StepEnded { .. }
                | EventBody::ArtifactsStored { .. } => {}
            },
            Recorded::Duplicate => {}
            Recorded::Early => return Settle::Again(EARLY_DELAY),
            Recorded::Refused(refusal) => self.refused(event, refusal),
        }
        Settle::Acknowledge
    }

    fn refused(&self, event: &Event, refusal: Refusal) {
        tracing::debug!(
            job.id = %event.job_id, attempt = %event.attempt, worker.name = %event.worker, ?refusal,
            "an event that counts for nothing"
        );
        if refusal == Refusal::Cancelled {
            self.signals.run_may_have_ended(&event.job_id);
        }
        let is_to_hear_of_it = match event.body {
            EventBody::Started
            | EventBody::ContainerCreated { .. }
            | EventBody::StepEnded { .. }
            | EventBody::ArtifactsStored { .. } => true,
            // What counts for nothing keeps no container.
            EventBody::Cleaned { status } => status == CleanupStatus::Kept,
            EventBody::Finished(_) | EventBody::HandedBack { .. } => false,
        };
        if is_to_hear_of_it {
            let reason = match refusal {
                Refusal::Cancelled => StopReason::Cancelled,
                Refusal::Stale | Refusal::Final | Refusal::Unknown => StopReason::Superseded,
            };
            self.stopper.stop(event.worker.clone(), event.job_id.clone(), event.attempt, reason);
        }
    }
}

fn log_refused(event: &Event, error: &StoreError) {
    if !error.is_transient() {
        tracing::error!(
            job.id = %event.job_id, attempt = %event.attempt, seq = event.seq, error = chain(error),
            "the store refuses an event; it is given again later"
        );
    }
}

/// Waits for `work` while keeping the messages from being given to somebody else.
async fn keeping<T>(leases: &[Box<dyn Lease>], work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => return result,
            () = tokio::time::sleep(LEASE / 3) => {
                futures_util::stream::iter(leases)
                    .for_each_concurrent(ACKS_AT_ONCE, |lease| async move {
                        if let Err(error) = lease.extend().await {
                            tracing::debug!(error = chain(&error), "an event's lease could not be extended");
                        }
                    })
                    .await;
            }
        }
    }
}

async fn settle(settled: Vec<(Box<dyn Lease>, Settle)>) {
    futures_util::stream::iter(settled)
        .for_each_concurrent(ACKS_AT_ONCE, |(lease, settle)| async move {
            let result = match settle {
                Settle::Acknowledge => lease.ack().await,
                Settle::Again(delay) => lease.release(delay).await,
            };
            if let Err(error) = result {
                tracing::debug!(error = chain(&error), "an event's message was not settled; it comes again");
            }
        })
        .await;
}
