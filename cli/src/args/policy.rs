//! What the operator of a host lets jobs ask of it.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use orcaops_common::config::{ByteSize, Layer, List};

/// What jobs may ask of this host.
#[derive(Debug, Args)]
#[command(next_help_heading = "What jobs may ask of this host")]
pub(crate) struct PolicyArgs {
    /// Folders below which jobs may mount volumes, comma-separated [env: ORCAOPS_ALLOW_VOLUMES] [default: none]
    #[arg(long, value_name = "DIRS")]
    allow_volumes: Option<List>,
    /// Docker networks that jobs may join, comma-separated [env: ORCAOPS_ALLOW_NETWORKS] [default: none]
    #[arg(long, value_name = "NAMES")]
    allow_networks: Option<List>,
    /// Whether jobs may publish ports [env: ORCAOPS_ALLOW_PORTS] [default: true where only
    /// this machine can submit them]
    #[arg(long, value_name = "true|false", hide_possible_values = true)]
    allow_ports: Option<bool>,
    /// File of credentials for registries, by name, in TOML [env: ORCAOPS_CREDENTIALS]
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Most memory of a job, and what jobs get that name none [env: ORCAOPS_MAX_MEMORY] [default: no limit]
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<ByteSize>,
    /// Most processes and threads of a job [env: ORCAOPS_MAX_PIDS] [default: 1024 where a job names none]
    #[arg(long, value_name = "N")]
    max_pids: Option<u32>,
    /// How long a container is kept where its job wants it kept [env: ORCAOPS_KEEP_HOURS] [default: 24]
    #[arg(long, value_name = "HOURS")]
    keep_hours: Option<u32>,
}

/// Where a worker publishes ports.
#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// Address that jobs' ports are published on [env: ORCAOPS_PUBLISH_ADDRESS] [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", help_heading = "What jobs may ask of this host")]
    publish_address: Option<IpAddr>,
}

impl PolicyArgs {
    /// Whether no flag says anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.layer() == Layer::default()
    }

    /// What the flags say.
    pub(super) fn layer(&self) -> Layer {
        Layer {
            allow_volumes: self.allow_volumes.clone(),
            allow_networks: self.allow_networks.clone(),
            allow_ports: self.allow_ports,
            credentials: self.credentials.clone(),
            keep_hours: self.keep_hours,
            max_memory: self.max_memory,
            max_pids: self.max_pids,
            ..Layer::default()
        }
    }
}

impl PublishArgs {
    /// What the flag says.
    pub(super) fn layer(&self) -> Layer {
        Layer { publish_address: self.publish_address, ..Layer::default() }
    }
}
