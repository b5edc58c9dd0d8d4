//! The arguments of all commands, as they are typed.

mod build;
mod container;
mod jobs;
mod policy;
mod ps;
mod run;
mod runs;
mod sandbox;
mod service;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use orcaops_common::config::Layer;

pub(crate) use build::{BuildArgs, flag as build_flag};
pub(crate) use container::ContainerArgs;
pub(crate) use jobs::{JobsArgs, JobsCommand, ListArgs, LogsArgs};
pub(crate) use ps::PsArgs;
pub(crate) use run::RunArgs;
pub(crate) use runs::{ImportArgs, RunsArgs, RunsCommand};
pub(crate) use sandbox::{FileArgs, SandboxArgs, SandboxCommand, SandboxRunArgs};
pub(crate) use service::{ApiArgs, DevArgs, HealthArgs, LogArgs, WorkerArgs};

const ABOUT: &str = "Runs commands in containers, on a laptop or on a fleet";

const AFTER_HELP: &str = "\
Examples:
  orcaops run alpine -- echo hello          run a command here, with nothing but Docker
  orcaops dev                               a server for this machine, with its docs at /docs
  orcaops jobs                              what ran lately
  ORCAOPS_URL=http://ci:8000 orcaops run -f alpine -- make

Settings come from flags, then from the environment, then from the file, then from defaults. The file holds the \
flags' names with underscores, for example `database_url = \"postgres://…\"`.

Exit codes: 0 success, 125 when OrcaOps itself failed; `orcaops run` has more, see `orcaops run --help`.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "orcaops", version, about = ABOUT, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) general: GeneralArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "General options")]
pub(crate) struct GeneralArgs {
    /// File of settings [env: ORCAOPS_CONFIG] [default: config.toml in the home folder, if there]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Home folder: database, artifacts, bus [env: ORCAOPS_HOME] [default: ~/.orcaops]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Which log messages to write [env: ORCAOPS_LOG, RUST_LOG] [default: info for services, else warn]
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

/// Where a client's server is.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The API to talk to; without one, this machine [env: ORCAOPS_URL]
    ///
    /// A key is sent when ORCAOPS_API_KEY is set, or `api_key` in the file of settings.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a job and hand on its exit code
    Run(Box<RunArgs>),
    /// Build an image from a folder, and perhaps push it
    Build(Box<BuildArgs>),
    /// List jobs, look at them, cancel them, fetch their files
    Jobs(JobsArgs),
    /// List the containers that OrcaOps made
    Ps(PsArgs),
    /// Jobs that are kept under a name, in a file: list them, check them, run one
    Sandbox(SandboxArgs),
    /// Take over runs from another installation
    Runs(RunsArgs),
    /// Serve this machine: API and worker in one process, needs only Docker
    Dev(DevArgs),
    /// Serve the API of a fleet
    Api(ApiArgs),
    /// Take jobs of a fleet and run them on this machine's Docker engine
    Worker(WorkerArgs),
    /// Print the version
    Version,
    /// Say whether a service of this machine is well, for health checks
    #[command(hide = true)]
    Health(HealthArgs),
}

impl Cli {
    /// What the flags say.
    pub(crate) fn layer(&self) -> Layer {
        let GeneralArgs { home, log, config: _ } = &self.general;
        let general = Layer { home: home.clone(), log: log.clone(), ..Layer::default() };
        let own = match &self.command {
            Command::Run(args) => {
                Layer { url: args.server.server.clone(), ..args.log.layer() }.over(args.policy.layer())
            }
            Command::Ps(args) => Layer { url: args.server.server.clone(), ..Layer::default() },
            Command::Build(args) => Layer { url: args.server.server.clone(), ..Layer::default() },
            Command::Jobs(args) => Layer { url: args.server.server.clone(), ..Layer::default() },
            Command::Sandbox(SandboxArgs { command: SandboxCommand::Run(args) }) => {
                Layer { url: args.server.server.clone(), ..Layer::default() }
            }
            Command::Runs(args) => args.layer(),
            Command::Dev(args) => args.layer(),
            Command::Api(args) => args.layer(),
            Command::Worker(args) => args.layer(),
            Command::Sandbox(_) | Command::Version | Command::Health(_) => Layer::default(),
        };
        general.over(own)
    }
}

#[cfg(test)]
mod tests;
