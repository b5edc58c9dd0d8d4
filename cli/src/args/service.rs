//! The arguments of services.

use std::net::SocketAddr;

use clap::Args;
use orcaops_common::config::{ByteSize, Layer};
use orcaops_common::domain::id::{PoolName, WorkerName};

use super::policy::{PolicyArgs, PublishArgs};

const DEV_HELP: &str = "\
Examples:
  orcaops dev
  orcaops dev --listen 127.0.0.1:9000 --slots 2

Jobs that were accepted survive the end of the process, however it ends: the next one runs them. Stop it with \
Ctrl-C: it takes no more jobs, lets those that run go on for a minute, and hands back the rest. A second Ctrl-C \
ends it at once.";

const API_HELP: &str = "\
Examples:
  orcaops api --database-url postgres://orcaops@db/orcaops --nats-url nats://api@nats:4222
  orcaops api --listen 0.0.0.0:8000

Any number of replicas may run at once. One that finds the database or NATS away at its start waits 30 seconds for \
them, then exits with code 125.";

const WORKER_HELP: &str = "\
Examples:
  orcaops worker --nats-url nats://worker@nats:4222
  orcaops worker --slots 4 --pool gpu --name gpu-1

The Docker engine is found as Docker's own client finds it, by DOCKER_HOST. A worker that finds the engine or NATS \
away at its start waits 30 seconds for them, then exits with code 125. At SIGTERM or Ctrl-C it takes no more jobs, \
lets those that run go on for a minute, and hands back the rest; a second signal ends it at once.";

/// Arguments of `orcaops dev`.
#[derive(Debug, Args)]
#[command(after_help = DEV_HELP)]
pub(crate) struct DevArgs {
    #[command(flatten)]
    listen: ListenArgs,
    /// Database: postgres://… or sqlite://… [env: ORCAOPS_DATABASE_URL] [default: a file in the home folder]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    #[command(flatten)]
    slots: SlotsArgs,
    #[command(flatten)]
    policy: PolicyArgs,
}

/// Arguments of `orcaops api`.
#[derive(Debug, Args)]
#[command(after_help = API_HELP)]
pub(crate) struct ApiArgs {
    #[command(flatten)]
    listen: ListenArgs,
    /// Database: postgres://… or sqlite://… [env: ORCAOPS_DATABASE_URL]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    #[command(flatten)]
    nats: NatsArgs,
}

/// Arguments of `orcaops worker`.
#[derive(Debug, Args)]
#[command(after_help = WORKER_HELP)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    nats: NatsArgs,
    #[command(flatten)]
    slots: SlotsArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    publish: PublishArgs,
}

/// Arguments of `orcaops health`.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Ask the worker whose home folder this is, instead of the API
    #[arg(long, conflicts_with = "url")]
    pub(crate) worker: bool,
    /// The API to ask [default: where ORCAOPS_LISTEN says]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
}

#[derive(Debug, Args)]
struct ListenArgs {
    /// Address to listen on [env: ORCAOPS_LISTEN] [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
struct NatsArgs {
    /// NATS servers, comma-separated: nats://… [env: ORCAOPS_NATS_URL]
    #[arg(long, value_name = "URLS")]
    nats_url: Option<String>,
}

#[derive(Debug, Args)]
struct SlotsArgs {
    /// How many jobs to run at once [env: ORCAOPS_SLOTS] [default: the number of cores]
    #[arg(long, value_name = "N")]
    slots: Option<usize>,
    /// Pool whose jobs to take [env: ORCAOPS_POOL] [default: default]
    #[arg(long, value_name = "NAME")]
    pool: Option<PoolName>,
    /// The worker's name, unique in the fleet [env: ORCAOPS_WORKER_NAME] [default: the host's name]
    #[arg(long, value_name = "NAME")]
    name: Option<WorkerName>,
    /// After how many silent seconds a job goes to another worker [env: ORCAOPS_LEASE_SECONDS] [default: 30]
    ///
    /// The same for all workers of a fleet.
    #[arg(long, value_name = "SECONDS")]
    lease_seconds: Option<u32>,
    /// Names the fleet: a worker sweeps only its fleet's containers [env: ORCAOPS_FLEET]
    #[arg(long, value_name = "NAME")]
    fleet: Option<String>,
    #[command(flatten)]
    log: LogArgs,
}

/// How much of a job's output is kept.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// How much of a job's output its log keeps [env: ORCAOPS_MAX_LOG_BYTES] [default: 100m]
    #[arg(long, value_name = "SIZE")]
    max_log_bytes: Option<ByteSize>,
}

impl LogArgs {
    /// Whether a limit was given.
    pub(crate) fn is_set(&self) -> bool {
        self.max_log_bytes.is_some()
    }

    pub(super) fn layer(&self) -> Layer {
        Layer { max_log_bytes: self.max_log_bytes, ..Layer::default() }
    }
}

impl DevArgs {
    pub(super) fn layer(&self) -> Layer {
        let own = Layer { database_url: self.database_url.clone(), ..self.listen.layer() };
        own.over(self.slots.layer()).over(self.policy.layer())
    }
}

impl ApiArgs {
    pub(super) fn layer(&self) -> Layer {
        let own = Layer { database_url: self.database_url.clone(), ..self.listen.layer() };
        own.over(self.nats.layer())
    }
}

impl WorkerArgs {
    pub(super) fn layer(&self) -> Layer {
        self.nats.layer().over(self.slots.layer()).over(self.policy.layer()).over(self.publish.layer())
    }
}

impl ListenArgs {
    fn layer(&self) -> Layer {
        Layer { listen: self.listen, ..Layer::default() }
    }
}

impl NatsArgs {
    fn layer(&self) -> Layer {
        Layer { nats_url: self.nats_url.clone(), ..Layer::default() }
    }
}

impl SlotsArgs {
    fn layer(&self) -> Layer {
        Layer {
            slots: self.slots,
            pool: self.pool.clone(),
            name: self.name.clone(),
            lease_seconds: self.lease_seconds,
            fleet: self.fleet.clone(),
            ..self.log.layer()
        }
    }
}
