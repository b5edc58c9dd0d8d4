//! Keeps the bus' present life known and alive in the store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orcaops_common::bus::{Bus, BusError};
use orcaops_common::store::{Store, StoreError, generation_lease};
use tokio_util::sync::CancellationToken;

use crate::trouble::Trouble;

/// All replicas on one bus hold its lease together, so they share one name.
const HOLDER: &str = "api";

/// The bus' generation, remembered for the time in which the bus can't be asked.
#[derive(Clone)]
pub(crate) struct Generation {
    bus: Arc<dyn Bus>,
    last: Arc<Mutex<Option<String>>>,
}

impl Generation {
    pub(crate) fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus, last: Arc::default() }
    }

    /// The present generation; the last one known when the bus can't be asked now. A run submitted under a
    /// generation that turns out to be over is dispatched again once that generation's lease has ended.
    pub(crate) async fn current(&self) -> Result<String, BusError> {
        match self.bus.generation().await {
            Ok(generation) => {
                *self.remembered() = Some(generation.clone());
                Ok(generation)
            }
            Err(error) if error.is_transient() => self.remembered().clone().ok_or(error),
            Err(error) => Err(error),
        }
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum KeepError {
    Store(#[from] StoreError),
    Bus(#[from] BusError),
}

/// Renews the generation's lease, for as long as this replica lives.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) generation: Generation,
    pub(crate) lease: Duration,
}

impl Keeper {
    /// Keeps the lease until `stop`, then gives it up. Other replicas on the same bus, if there are any, take
    /// it back with their next renewal, and need it for nothing before.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut trouble = Trouble::new("renewing the bus generation's lease");
        let mut held = None;
        loop {
            let pause = match self.renew().await {
                Ok(generation) => {
                    trouble.over();
                    held = Some(generation);
                    self.lease / 3
                }
                Err(error) => {
                    trouble.note(&error);
                    trouble.pause().min(self.lease / 3)
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        if let Some(generation) = held {
            let _ = self.store.release_lease(&generation_lease(&generation), HOLDER).await;
        }
    }

    /// Only what the bus itself says now is kept alive, never what is remembered: a bus that lost its data
    /// while it could not be reached must not look alive.
    async fn renew(&self) -> Result<String, KeepError> {
        self.bus.ping().await?;
        let generation = self.generation.current().await?;
        self.store.lease(&generation_lease(&generation), HOLDER, self.lease).await?;
        Ok(generation)
    }
}
