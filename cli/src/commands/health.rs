//! `orcaops health`: for health checks of containers, which have no other client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::pulse;
use crate::args::HealthArgs;
use crate::client::Client;
use crate::exit;
use crate::failure::Failure;
use crate::settings::Settings;

pub(super) async fn run(args: HealthArgs, settings: &Settings) -> Result<u8, Failure> {
    if args.worker {
        pulse::check(settings.home()).map_err(Failure::Unwell)?;
    } else {
        let url = args.url.unwrap_or_else(|| format!("http://{}", reachable(settings.listen())));
        Client::new(&url, settings.layer().api_key.as_deref())?.health().await?;
    }
    Ok(exit::SUCCESS)
}

/// An API that listens everywhere is asked at this machine's own address.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_that_listens_everywhere_is_asked_here() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8000"), "127.0.0.1:8000");
        assert_eq!(asked("[::]:1"), "[::1]:1");
        assert_eq!(asked("10.0.0.1:2"), "10.0.0.1:2");
    }
}
