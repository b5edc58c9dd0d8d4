//! Puts runs on the bus that are not there: those whose submission could not publish them, those whose backoff
//! is over, and those that a lost bus took with it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use orcaops_common::bus::{Bus, BusError};
use orcaops_common::store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::generation::Generation;
use crate::leadership::Leadership;
use crate::signals::Signals;
use crate::trouble::Trouble;

/// The lease that makes one replica the scheduler.
const LEASE: &str = "scheduler";
/// How often the store is asked for runs that are due.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a submission has to publish its run itself.
const GRACE: Duration = Duration::from_secs(2);
/// The most runs taken at once.
const BATCH: u32 = 100;
/// How many runs are published at once.
const AT_ONCE: usize = 16;

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum ScheduleError {
    Store(#[from] StoreError),
    Bus(#[from] BusError),
}

/// The scheduler of one replica; it works while it holds the lease.
#[derive(Clone)]
pub(crate) struct Scheduler {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) generation: Generation,
    pub(crate) signals: Signals,
    pub(crate) replica: String,
}

impl Scheduler {
    /// Schedules until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut leadership = Leadership::new(Arc::clone(&self.store), LEASE, &self.replica);
        let mut trouble = Trouble::new("scheduling");
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.signals.due() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
            match self.round(&mut leadership, &stop).await {
                Ok(()) => trouble.over(),
                Err(error) => {
                    if !trouble.wait(&error, &stop).await {
                        break;
                    }
                }
            }
        }
        leadership.give_up().await;
    }

    async fn round(
        &self,
        leadership: &mut Leadership,
        stop: &CancellationToken,
    ) -> Result<(), ScheduleError> {
        while !stop.is_cancelled() && leadership.leading().await? {
            let generation = self.generation.current().await?;
            let due = self.store.due(&generation, GRACE, BATCH).await?;
            let full = due.len() == BATCH as usize;
            let results: Vec<_> = futures_util::stream::iter(due)
                .map(|message| async move {
                    let result = self.bus.publish_job(&message).await;
                    (message.job_id, message.dispatch, result)
                })
                .buffered(AT_ONCE)
                .collect()
                .await;
            let mut failure = None;
            let mut published = Vec::with_capacity(results.len());
            for (job, dispatch, result) in results {
                match result {
                    Ok(()) => published.push((job, dispatch)),
                    Err(error) => failure = Some(error),
                }
            }
            if !published.is_empty() {
                tracing::info!(runs = published.len(), "put runs on the bus that were not there");
                self.store.published(&published).await?;
            }
            match failure {
                Some(error) => return Err(error.into()),
                None if full => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }
}
