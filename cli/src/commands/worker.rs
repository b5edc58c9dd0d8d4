//! `orcaops worker`: takes jobs of a fleet.

use orcaops_worker::Worker;
use tokio_util::task::AbortOnDropHandle;

use super::pulse;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::wiring;

pub(super) async fn run(settings: &Settings) -> Result<u8, Failure> {
    let start = async {
        let worker = wiring::worker(settings).await?;
        let pulse = AbortOnDropHandle::new(tokio::spawn(pulse::beat(settings.home().clone())));
        Ok((worker, pulse))
    };
    let stop = async |(worker, _pulse): (Worker, AbortOnDropHandle<()>)| worker.stop().await;
    Shutdown::new()?.run(start, stop).await
}
