//! Answers what workers ask: may this attempt run, and what should I no longer run?

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use orcaops_common::bus::{Address, Bus, Question};
use orcaops_common::domain::control::{ApiCall, Claimed, HeartbeatAnswer};
use orcaops_common::domain::event::{Event, EventBody};
use orcaops_common::domain::state::Refusal;
use orcaops_common::store::{Recorded, Store};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::error::chain;
use crate::signals::Signals;
use crate::tasks::Tasks;
use crate::trouble::Trouble;

/// How many questions are answered at once.
const AT_ONCE: usize = 64;

/// Serves the API's address on the bus.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) signals: Signals,
    pub(crate) tasks: Tasks,
}

impl Control {
    /// Answers until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut trouble = Trouble::new("serving workers' questions");
        while !stop.is_cancelled() {
            let mut questions = match self.bus.serve(&Address::Api).await {
                Ok(questions) => questions,
                Err(error) => {
                    if !trouble.wait(&error, &stop).await {
                        return;
                    }
                    continue;
                }
            };
            trouble.over();
            loop {
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
                let question = tokio::select! {
                    () = stop.cancelled() => return,
                    question = questions.next() => question,
                };
                let Some(question) = question else {
                    let error = std::io::Error::other("the bus ended the stream of questions");
                    if !trouble.wait(&error, &stop).await {
                        return;
                    }
                    break;
                };
                let this = self.clone();
                self.tasks.spawn(async move {
                    let _permit = permit;
                    this.answer(question).await;
                });
            }
        }
    }

    async fn answer(&self, question: Question) {
        let answer = match serde_json::from_slice(&question.payload) {
            Ok(ApiCall::Claim { event }) => serde_json::to_vec(&self.claim(event).await),
            Ok(ApiCall::Heartbeat(beat)) => match self.store.heartbeat(&beat).await {
                Ok(stop) => serde_json::to_vec(&HeartbeatAnswer { stop }),
                // No answer tells the worker as much as any.
                Err(error) => {
                    return tracing::debug!(error = chain(&error), "a heartbeat could not be noted");
                }
            },
            Err(error) => {
                return tracing::warn!(error = chain(&error), "a question from the bus cannot be read");
            }
        };
        match answer {
            Ok(answer) => (question.reply)(Bytes::from(answer)).await,
            Err(error) => tracing::error!(error = chain(&error), "an answer could not be written"),
        }
    }

    async fn claim(&self, event: Event) -> Claimed {
        if event.body != EventBody::Started {
            tracing::warn!(job.id = %event.job_id, "a claim that does not start an attempt");
            return Claimed::Refused { refusal: Refusal::Unknown };
        }
        let (job, first) = (event.job_id.clone(), event.number <= 1);
        match self.store.record(&[event], false).await.as_deref() {
            Ok([Recorded::Refused(refusal)]) => {
                if *refusal == Refusal::Cancelled {
                    self.signals.run_may_have_ended(&job);
                }
                Claimed::Refused { refusal: *refusal }
            }
            Ok([Recorded::Applied | Recorded::Duplicate | Recorded::Early]) if first => {
                Claimed::Granted { ttl_expiry: None }
            }
            Ok([Recorded::Applied | Recorded::Duplicate | Recorded::Early]) => {
                match self.store.run(&job).await {
                    Ok(run) => Claimed::Granted { ttl_expiry: run.and_then(|run| run.ttl_expiry) },
                    Err(_) => Claimed::Unavailable,
                }
            }
            Ok(_) => Claimed::Unavailable,
            Err(error) => {
                tracing::debug!(job.id = %job, error = chain(error), "a claim could not be recorded");
                Claimed::Unavailable
            }
        }
    }
}
