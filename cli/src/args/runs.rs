//! The arguments of `orcaops runs`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use orcaops_common::config::Layer;

const IMPORT_HELP: &str = "\
DIR holds a folder for each run, with run.json, steps.jsonl and the run's files, as OrcaOps and its older versions \
write them. Only runs that have ended are imported. A run that is there already, equal, is passed over; another run \
of the same id is left as it is. Every file is compared with the size and hash in its run's record; one that differs \
is missing, or lies behind a symbolic link is left out.

The command writes to the database and the artifacts folder itself, not to a server. Run it where the API's home \
folder is: for a fleet, with --database-url and --home as the API has them. A server may be running meanwhile.

Exit code: 0 when every run is there, 1 when one was not imported or lacks a file, 125 when nothing could be done.

Examples:
  orcaops runs import ~/.orcaops/artifacts          what the older tool left on this machine
  orcaops runs import /mnt/old --json
  orcaops runs import /mnt/old --database-url postgres://orcaops@db/orcaops --home /var/lib/orcaops";

/// Arguments of `orcaops runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    pub(crate) command: RunsCommand,
}

/// What to do with records of runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Take over runs from another installation's files
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
}

/// Arguments of `orcaops runs import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Folder that holds a folder for each run
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Print what became of each run as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Database: postgres://… or sqlite://… [env: ORCAOPS_DATABASE_URL] [default: a file in the home folder]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Not for this command, which says why.
    #[arg(long, value_name = "URL", hide = true)]
    server: Option<String>,
}

impl RunsArgs {
    /// What the flags say.
    pub(super) fn layer(&self) -> Layer {
        let RunsCommand::Import(ImportArgs { database_url, server, .. }) = &self.command;
        Layer { database_url: database_url.clone(), url: server.clone(), ..Layer::default() }
    }
}
