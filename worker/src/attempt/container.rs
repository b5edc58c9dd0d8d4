//! An attempt's hold on its container, from before it is made until it is gone.

use std::sync::Arc;

use orcaops_common::domain::run::CleanupStatus;
use tokio::task::JoinHandle;

use crate::engine::{ContainerPlan, Engine, EngineError};

/// The container of an attempt, if there is one already or still.
#[derive(Default)]
pub(crate) struct Held {
    id: Option<String>,
    /// The engine is not asked to break off: it may make the container all the same, and nobody would know.
    making: Option<JoinHandle<Result<Option<String>, EngineError>>>,
    /// Whether anything of the job ran in it.
    pub(crate) was_started: bool,
}

impl Held {
    /// Makes the container; `false` when its image is not on the host. Cancel safe: what is in the making is
    /// held on to.
    pub(crate) async fn make(
        &mut self,
        engine: &Arc<Engine>,
        plan: &Arc<ContainerPlan>,
    ) -> Result<bool, EngineError> {
        let (engine, plan) = (Arc::clone(engine), Arc::clone(plan));
        self.making = Some(tokio::spawn(async move { engine.create(&plan).await }));
        self.made().await?;
        Ok(self.id.is_some())
    }

    async fn made(&mut self) -> Result<(), EngineError> {
        let Some(making) = &mut self.making else { return Ok(()) };
        let made = making.await;
        self.making = None;
        self.id = made.unwrap_or_else(|e| Err(EngineError::Session(e.to_string())))?;
        Ok(())
    }

    /// The container's id, once it is made.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Waits for what is in the making; whether there is a container now.
    pub(crate) async fn is_there(&mut self) -> bool {
        if let Err(e) = self.made().await {
            tracing::debug!(error = %e, "a container that nobody waited for was not made");
        }
        self.id.is_some()
    }

    /// Keeps the container or removes it, and says what became of it.
    pub(crate) async fn end(self, engine: &Engine, keep: bool) -> Option<CleanupStatus> {
        let id = self.id?;
        // What never ran holds nothing to look at.
        if keep && self.was_started && engine.keep(&id).await {
            return Some(CleanupStatus::Kept);
        }
        if engine.remove(&id).await {
            return Some(CleanupStatus::Destroyed);
        }
        tracing::error!(container.id = id, "a container could not be removed; the sweeper will try");
        Some(CleanupStatus::Leaked)
    }
}
