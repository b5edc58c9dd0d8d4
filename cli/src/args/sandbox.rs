//! The arguments of `orcaops sandbox`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ServerArgs;

/// The longest timeout, in seconds.
const MAX_TIMEOUT: i64 = 86_400;

const HELP: &str = "\
Examples:
  orcaops sandbox list
  orcaops sandbox validate -f ci/sandboxes.yml
  orcaops sandbox run web --timeout 300 -e MODE=test --follow
  orcaops sandbox run web --command sh -c 'nginx -t'

A file of sandboxes is ./sandboxes.yml or ./sandboxes.yaml unless -f names one.";

const RUN_HELP: &str = "\
One word after --command is for the shell, several are a program and its arguments; it takes everything that follows, \
so it stands last.

Without a server the sandbox runs here, and gets the ports and the folders that its entry names. With one, the \
worker's operator has to allow them, and the folders are those of the worker's host.

Exit codes are those of `orcaops run`; an exit code that the entry counts as success is 0 here.";

/// Arguments of `orcaops sandbox`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct SandboxArgs {
    #[command(subcommand)]
    pub(crate) command: SandboxCommand,
}

/// What to do with a file of sandboxes.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// List the sandboxes of a file that can be used, and say what is wrong with the others
    List {
        #[command(flatten)]
        file: FileArgs,
    },
    /// Say what is wrong with a file of sandboxes; exits with 1 when anything is
    Validate {
        #[command(flatten)]
        file: FileArgs,
    },
    /// Run a sandbox and hand on its exit code
    Run(Box<SandboxRunArgs>),
}

/// Which file.
#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// File of sandboxes [default: sandboxes.yml or sandboxes.yaml, here]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Arguments of `orcaops sandbox run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct SandboxRunArgs {
    /// The sandbox
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// Run this instead of what the entry says
    #[arg(long, value_name = "CMD", num_args = 1.., allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
    /// Let it run for so long instead of what the entry says, 1 to 86400
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=MAX_TIMEOUT))]
    pub(crate) timeout: Option<u32>,
    /// Set a variable beside those of the entry, or over one; without a value, it is taken from here. Repeatable
    #[arg(short, long, value_name = "K[=V]")]
    pub(crate) env: Vec<String>,
    /// Follow its output live
    #[arg(long)]
    pub(crate) follow: bool,
    /// Print the job's record as JSON; a followed output then goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
