//! `orcaops dev`: a server for this machine.

use std::net::SocketAddr;

use crate::failure::Failure;
use crate::output::print;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::wiring::Local;

pub(super) async fn run(settings: &Settings) -> Result<u8, Failure> {
    let start = async {
        let local = Local::dev(settings).await?;
        super::api::warn_if_public(local.address());
        print(&welcome(local.address(), settings))?;
        Ok(local)
    };
    Shutdown::new()?.run(start, async |local: Local| local.stop(None).await).await
}

fn welcome(address: SocketAddr, settings: &Settings) -> String {
    let home = settings.home().path().display();
    format!(
        "\
OrcaOps serves this machine at http://{address}

  documentation  http://{address}/docs
  home folder    {home}

Try it from another terminal:

  ORCAOPS_URL=http://{address} orcaops run -f alpine -- echo hello

  curl http://{address}/orcaops/jobs -H 'content-type: application/json' \\
    -d '{{\"sandbox\": {{\"image\": \"alpine\"}}, \"commands\": [{{\"command\": \"echo hello\"}}]}}'

Ctrl-C stops it.
"
    )
}
