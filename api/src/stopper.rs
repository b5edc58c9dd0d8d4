//! Tells workers to stop an attempt, as well as it can.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orcaops_common::bus::{Address, Bus};
use orcaops_common::domain::control::{StopAttempt, StopReason, WorkerCall};
use orcaops_common::domain::id::{AttemptId, JobId, WorkerName};
use tokio::sync::Semaphore;

use crate::error::chain;
use crate::tasks::Tasks;

/// How long a worker has to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many workers are told at once; beyond it, heartbeats do the telling.
const AT_ONCE: usize = 32;

/// Tells workers to stop attempts. A call that gets lost is repaired by the worker's next heartbeat.
#[derive(Clone)]
pub(crate) struct Stopper {
    bus: Arc<dyn Bus>,
    tasks: Tasks,
    permits: Arc<Semaphore>,
}

impl Stopper {
    pub(crate) fn new(bus: Arc<dyn Bus>, tasks: Tasks) -> Self {
        Self { bus, tasks, permits: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Tells the worker in the background.
    pub(crate) fn stop(&self, worker: WorkerName, job_id: JobId, attempt: AttemptId, reason: StopReason) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return };
        let call = WorkerCall::Stop(StopAttempt { job_id, attempt: Some(attempt), reason });
        let bus = Arc::clone(&self.bus);
        self.tasks.spawn(async move {
            let _permit = permit;
            let Ok(question) = serde_json::to_vec(&call) else { return };
            let address = Address::Worker(worker);
            if let Err(error) = bus.request(&address, Bytes::from(question), PATIENCE).await {
                tracing::debug!(to = ?address, error = chain(&error), "worker not told; its heartbeat will be");
            }
        });
    }
}
