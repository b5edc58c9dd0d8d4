//! The network of jobs: a way out for each, and no way to each other.

use std::collections::HashMap;

use bollard::models::NetworkCreateRequest;

use super::connect::Engine;
use super::error::{EngineError, status};

/// The network's name, the same for every worker on a host.
pub(super) const NETWORK: &str = "orcaops-jobs";

impl Engine {
    /// Makes sure that the network is there.
    pub(super) async fn network(&self) -> Result<&'static str, EngineError> {
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
