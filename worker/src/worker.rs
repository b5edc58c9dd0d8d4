//! Starts and ends a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orcaops_common::bus::Bus;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::attempt::Context;
use crate::config::WorkerConfig;
use crate::engine::{Engine, EngineError};
use crate::registry::{Registry, Stop};
use crate::{control, dispatcher, heartbeat, sweeper};

/// How long attempts that are handed back may take to say so and to remove their containers.
const HAND_BACK_PATIENCE: Duration = Duration::from_secs(45);

/// A worker can't start.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its engine is not there.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A running worker. A process that ends without [`Worker::stop`] leaves nothing behind: its containers end with
/// it, its jobs go to others when their leases do.
pub struct Worker {
    context: Arc<Context>,
    attempts: TaskTracker,
    stop_taking: CancellationToken,
    dispatcher: AbortOnDropHandle<()>,
    draining: Arc<AtomicBool>,
    _services: Vec<AbortOnDropHandle<()>>,
}

impl Worker {
    /// Connects to the engine and starts taking jobs.
    ///
    /// # Errors
    /// When the engine can't be reached. A bus that can't be reached is waited for.
    pub async fn start(config: WorkerConfig, bus: Arc<dyn Bus>) -> Result<Self, WorkerError> {
        let engine = Arc::new(Engine::connect(config.docker_host.as_deref()).await?);
        tracing::info!(
            worker = %config.name, pool = %config.pool, slots = config.slots, "worker takes jobs"
        );
        let removals = Arc::new(Semaphore::new(config.slots));
        let context = Arc::new(Context { config, bus, engine, registry: Registry::default(), removals });
        let attempts = TaskTracker::new();
        let stop_taking = CancellationToken::new();
        let draining = Arc::new(AtomicBool::new(false));
        let spawn = |service| AbortOnDropHandle::new(service);
        let services = vec![
            spawn(tokio::spawn(heartbeat::beat(Arc::clone(&context), Arc::clone(&draining)))),
            spawn(tokio::spawn(control::serve(Arc::clone(&context)))),
            spawn(tokio::spawn(sweeper::sweep(Arc::clone(&context)))),
        ];
        let dispatcher = AbortOnDropHandle::new(tokio::spawn(dispatcher::dispatch(
            Arc::clone(&context),
            attempts.clone(),
            stop_taking.clone(),
        )));
        Ok(Self { context, attempts, stop_taking, dispatcher, draining, _services: services })
    }

    /// How many jobs it runs now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.context.registry.list().len()
    }

    /// Takes no more jobs, lets those it has go on for the drain's grace, hands back the rest, and ends.
    pub async fn stop(mut self) {
        self.draining.store(true, Ordering::Relaxed);
        self.stop_taking.cancel();
        // Ends by the token alone: a job in the act of being taken is taken or comes again.
        let _ = (&mut self.dispatcher).await;
        self.attempts.close();
        if let Err(reason) = heartbeat::once(&self.context, true).await {
            tracing::debug!(reason, "nobody heard that this worker drains");
        }
        let running = self.running();
        if running > 0 {
            tracing::info!(running, "draining");
        }
        let grace = self.context.config.drain_grace;
        if tokio::time::timeout(grace, self.attempts.wait()).await.is_err() {
            tracing::warn!(running = self.running(), "the grace is over; jobs are handed back");
            self.context.registry.stop_all(Stop::Drain);
            if tokio::time::timeout(HAND_BACK_PATIENCE, self.attempts.wait()).await.is_err() {
                tracing::error!(running = self.running(), "some jobs could not be handed back in time");
            }
        }
    }
}
