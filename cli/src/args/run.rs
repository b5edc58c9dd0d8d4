//! The arguments of `orcaops run`.

use std::path::PathBuf;

use clap::Args;
use orcaops_common::domain::id::{JobId, PoolName};

use super::policy::PolicyArgs;
use super::{ContainerArgs, LogArgs, ServerArgs};

const HELP: &str = "\
Examples:
  orcaops run alpine -- echo hello
  orcaops run -f -e CI=1 -e TOKEN alpine -- 'make && make test'
  orcaops run python:3.12 --upload . -a 'report.xml' -d reports -- python -m unittest
  orcaops run -s job.yaml -f
  orcaops run --secret TOKEN --cache cargo:/root/.cargo --max-attempts 2 --retry-on failure rust:1 make
  orcaops run --server http://ci:8000 --detach alpine -- sleep 60

One word after the image is a command for the shell, run as `/bin/sh -c WORD`. Several words are a program and its \
arguments, run without a shell. Options stand before the command; `--` sets it apart where that is not plain.

With -f the job's standard output comes out on standard output and its standard error on standard error, line by \
line; OrcaOps' own words go to standard error. Without it a summary is printed when the job has ended, with the last \
lines of a step that failed. Ctrl-C cancels the job and waits for its end; a second Ctrl-C leaves at once.

Exit codes:
  0      every step exited with 0
  1-255  the failing step's own code; 128 + n when signal n ended it
  124    the job or a step ran out of time
  125    OrcaOps itself failed: wrong use, no Docker, no server, no such image
  130    the job was cancelled";

/// Arguments of `orcaops run`.
#[derive(Debug, Args)]
#[command(
    after_help = HELP,
    override_usage = "orcaops run [OPTIONS] <IMAGE> [--] <CMD>...\n       orcaops run [OPTIONS] --spec <FILE>"
)]
pub(crate) struct RunArgs {
    /// The image to run
    #[arg(value_name = "IMAGE", required_unless_present = "spec", conflicts_with = "spec")]
    pub(crate) image: Option<String>,
    /// The command: one word for the shell, or a program and its arguments
    #[arg(
        value_name = "CMD",
        required_unless_present = "spec",
        conflicts_with = "spec",
        trailing_var_arg = true
    )]
    pub(crate) command: Vec<String>,
    /// Take the whole job from a YAML or JSON file, a JobSpec
    #[arg(short, long, value_name = "FILE")]
    pub(crate) spec: Option<PathBuf>,
    /// Follow the job's output live
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Set a variable in the job's environment; without a value, it is taken from here. Repeatable
    #[arg(short, long, value_name = "K[=V]")]
    pub(crate) env: Vec<String>,
    /// Keep files that match this pattern, below the working folder or absolute. Repeatable
    #[arg(short, long = "artifact", value_name = "GLOB")]
    pub(crate) artifacts: Vec<String>,
    /// How long the job may live, 10 to 86400 [default: 3600]
    #[arg(short, long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u32>,
    /// The job's id; chosen for you when absent
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<JobId>,
    /// Send this folder, less what its .gitignore names, and run in it
    #[arg(long, value_name = "DIR")]
    pub(crate) upload: Option<PathBuf>,
    /// Working folder in the container [default: / or, with --upload, /workspace]
    #[arg(short, long, value_name = "PATH")]
    pub(crate) workdir: Option<String>,
    /// Pool of workers that may run the job [default: default]
    #[arg(long, value_name = "NAME")]
    pub(crate) pool: Option<PoolName>,
    /// Set a variable as -e does, and mask its value in logs and records. Repeatable
    #[arg(long, value_name = "K[=V]")]
    pub(crate) secret: Vec<String>,
    /// How often to try the job in all, 1 to 20 [default: 3]
    #[arg(long, value_name = "N")]
    pub(crate) max_attempts: Option<u32>,
    /// After what to try it again: infrastructure, failure, timeout; several with commas [default:
    /// infrastructure]
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) retry_on: Vec<String>,
    /// Fetch the artifacts into this folder when the job has ended
    #[arg(short, long, value_name = "DIR")]
    pub(crate) download: Option<PathBuf>,
    /// Submit the job, print its id, and leave. Needs a server
    #[arg(long, visible_alias = "no-wait", conflicts_with_all = ["follow", "download"])]
    pub(crate) detach: bool,
    /// Print the job's record as JSON; a followed output then goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) container: ContainerArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}
