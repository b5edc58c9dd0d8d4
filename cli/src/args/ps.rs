//! The arguments of `orcaops ps`.

use clap::Args;
use orcaops_common::domain::id::WorkerName;

use super::ServerArgs;

const HELP: &str = "\
Examples:
  orcaops ps                                containers of jobs that run
  orcaops ps -a                             also those that were kept after their jobs
  orcaops ps -a --worker gpu-1 --json

Only containers that OrcaOps made are listed. Without a server, those of this machine's home folder.";

/// Arguments of `orcaops ps`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct PsArgs {
    /// Also list containers that do not run
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Only those that this worker made
    #[arg(long, value_name = "NAME")]
    pub(crate) worker: Option<WorkerName>,
    /// Print the API's answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
