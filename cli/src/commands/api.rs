//! `orcaops api`: an API replica of a fleet.

use std::net::SocketAddr;

use orcaops_api::Api;

use crate::failure::Failure;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::wiring;

pub(super) async fn run(settings: &Settings) -> Result<u8, Failure> {
    let start = async {
        let api = wiring::api(settings).await?;
        warn_if_public(api.address());
        Ok(api)
    };
    Shutdown::new()?.run(start, async |api: Api| api.stop().await).await
}

/// Jobs are commands: whoever may submit one may run what they like.
pub(super) fn warn_if_public(address: SocketAddr) {
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "whoever can reach this address can run jobs; let only a trusted network do so");
    }
}
