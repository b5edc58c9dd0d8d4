//! The connection to the engine.

use std::time::Duration;

use bollard::Docker;

use super::error::EngineError;
use super::pull::Pulls;

/// How long an engine that accepts a connection may take to answer the first question.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A container engine.
pub(crate) struct Engine {
    pub(super) docker: Docker,
    /// The name of the volume that holds init, once it is filled and checked.
    pub(super) init_volume: tokio::sync::Mutex<Option<String>>,
    /// Whether the network of jobs is there.
    pub(super) network: tokio::sync::Mutex<bool>,
    /// The pulls under way.
    pub(super) pulls: Pulls,
}

impl Engine {
    /// Connects to the engine at `host`, or where the environment and the platform say.
    pub(crate) async fn connect(host: Option<&str>) -> Result<Self, EngineError> {
        let address = host.map_or_else(default_address, ToOwned::to_owned);
        let unavailable = |reason: String| EngineError::Unavailable { address: address.clone(), reason };
        let docker = match host {
            Some(host) => Docker::connect_with_host(host),
            None => Docker::connect_with_defaults(),
        }
        .map_err(|e| unavailable(e.to_string()))?;
        let negotiated = tokio::time::timeout(CONNECT_TIMEOUT, docker.negotiate_version())
            .await
            .map_err(|_| unavailable(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs())))?;
        let docker = negotiated.map_err(|e| unavailable(e.to_string()))?;
        Ok(Self {
            docker,
            init_volume: tokio::sync::Mutex::default(),
            network: tokio::sync::Mutex::default(),
            pulls: Pulls::default(),
        })
    }

    /// Looks again for the volume and the network before the next container: they may have been removed
    /// under us.
    pub(super) async fn look_again(&self) {
        *self.init_volume.lock().await = None;
        *self.network.lock().await = false;
    }
}

fn default_address() -> String {
    std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned())
}
