//! The networks of jobs: by default a way out for each, and no way to each other.

use std::collections::HashMap;

use bollard::models::NetworkCreateRequest;
use orcaops_common::domain::job::{DEFAULT_NETWORK, NO_NETWORK};
use orcaops_common::domain::run::EndCause;

use super::connect::Engine;
use super::error::{EngineError, status};

/// The network's name, the same for every worker on a host.
pub(super) const NETWORK: &str = "orcaops-jobs";

impl Engine {
    /// The engine's name for the network that a spec names. It is there.
    pub(super) async fn network<'a>(&self, wanted: &'a str) -> Result<&'a str, EngineError> {
        match wanted {
            DEFAULT_NETWORK => self.default_network().await,
            NO_NETWORK => Ok(NO_NETWORK),
            named => self.look_up(named).await.map(|()| named),
        }
    }

    /// A network that the operator allows must have been made by the operator. By its name: the engine would
    /// take the beginning of an id too.
    async fn look_up(&self, wanted: &str) -> Result<(), EngineError> {
        let there = match self.docker.inspect_network(wanted, None).await {
            Ok(network) => network.name.as_deref() == Some(wanted),
            Err(e) if status(&e) == Some(404) => false,
            Err(e) => return Err(EngineError::of("look at the job's network", &e)),
        };
        if there {
            return Ok(());
        }
        let advice = format!("the operator can make it with `docker network create {wanted}`");
        let reason = format!("/network: this worker's engine has no network {wanted}; {advice}");
        Err(EngineError::refused("create a container", reason, EndCause::Engine))
    }

    /// Makes sure that the network of jobs is there.
    async fn default_network(&self) -> Result<&'static str, EngineError> {
        let mut there = self.network.lock().await;
        if !*there {
            self.make_network().await?;
            *there = true;
        }
        Ok(NETWORK)
    }

    async fn make_network(&self) -> Result<(), EngineError> {
        match self.docker.inspect_network(NETWORK, None).await {
            Ok(_) => return Ok(()),
            Err(e) if status(&e) == Some(404) => {}
            Err(e) => return Err(EngineError::of("look at the network of jobs", &e)),
        }
        let request = NetworkCreateRequest {
            name: NETWORK.to_owned(),
            driver: Some("bridge".to_owned()),
            options: Some(HashMap::from([(
                "com.docker.network.bridge.enable_icc".to_owned(),
                "false".to_owned(),
            )])),
            ..Default::default()
        };
        match self.docker.create_network(request).await {
            Ok(_) => Ok(()),
            // Another worker on this host was quicker.
            Err(e) if status(&e) == Some(409) => Ok(()),
            Err(e) => Err(EngineError::of("make the network of jobs", &e)),
        }
    }
}
