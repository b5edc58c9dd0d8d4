//! The arguments of `orcaops jobs`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use orcaops_common::domain::id::JobId;
use orcaops_common::domain::log::{LogFilter, LogStream};
use orcaops_common::domain::run::JobStatus;

use super::ServerArgs;
use crate::client::Selection;

/// How many jobs are listed when nothing is said.
const DEFAULT_LIMIT: u32 = 20;
/// The most that one answer of the API holds.
const MAX_LIMIT: i64 = 200;

/// The most lines of the past that the API counts.
const MAX_TAIL: i64 = 10_000;

const HELP: &str = "\
Examples:
  orcaops jobs                              the newest 20
  orcaops jobs --status failed --limit 5
  orcaops jobs status build-42
  orcaops jobs logs build-42 -f
  orcaops jobs download build-42 out/report.xml -d reports

Without a server they look at this machine's home folder.";

const LOGS_HELP: &str = "\
Examples:
  orcaops jobs logs build-42 -f -n 20
  orcaops jobs logs build-42 --step 1 --stream stderr

A job's standard output goes to standard output, its standard error to standard error, byte for byte; OrcaOps' own \
words go to standard error. Without -f, what the job has printed so far; with -f, until it ends. With --json, a line \
of JSON for each line.";

/// Arguments of `orcaops jobs`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct JobsArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Print the API's answer as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) list: ListArgs,
    #[command(subcommand)]
    pub(crate) command: Option<JobsCommand>,
}

/// Arguments of the list.
#[derive(Debug, Default, Args)]
pub(crate) struct ListArgs {
    /// Only jobs of this status: queued, running, success, failed, timed_out, cancelled
    #[arg(long, value_parser = status)]
    pub(crate) status: Option<JobStatus>,
    /// At most so many, newest first: 1 to 200 [default: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_LIMIT))]
    limit: Option<u32>,
}

impl ListArgs {
    /// At most so many.
    pub(crate) fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }

    /// Whether nothing was said about the list.
    pub(crate) fn is_empty(&self) -> bool {
        self.status.is_none() && self.limit.is_none()
    }
}

/// What to do with one job.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Show where a job stands, and what it did
    Status {
        /// The job
        id: JobId,
    },
    /// Print what a job has printed
    #[command(after_help = LOGS_HELP)]
    Logs(LogsArgs),
    /// Cancel a job
    Cancel {
        /// The job
        id: JobId,
    },
    /// List the files that a job left behind
    Artifacts {
        /// The job
        id: JobId,
    },
    /// Fetch a file that a job left behind
    Download {
        /// The job
        id: JobId,
        /// The file's path, as `orcaops jobs artifacts` shows it
        file: String,
        /// Folder to put it into
        #[arg(short, long, value_name = "DIR", default_value = ".")]
        directory: PathBuf,
    },
}

/// Arguments of `orcaops jobs logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The job
    pub(crate) id: JobId,
    /// Go on until the job ends
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only the last so many lines of the past, 0 to 10000; all when absent
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=MAX_TAIL))]
    tail: Option<u32>,
    /// Only this step, counted from 0. Repeatable
    #[arg(long = "step", value_name = "N")]
    steps: Vec<u32>,
    /// Only this stream: stdout, stderr, or system for OrcaOps' own words. Repeatable
    #[arg(long = "stream", value_name = "NAME", value_parser = stream)]
    streams: Vec<LogStream>,
}

impl LogsArgs {
    /// Which lines are wanted.
    pub(crate) fn selection(&self) -> Selection {
        let filter = LogFilter { steps: self.steps.clone(), streams: self.streams.clone() };
        Selection { tail: self.tail, filter }
    }
}

fn stream(name: &str) -> Result<LogStream, String> {
    LogStream::ALL
        .into_iter()
        .find(|stream| stream.as_str() == name)
        .ok_or_else(|| "the streams are stdout, stderr, system".to_owned())
}

fn status(name: &str) -> Result<JobStatus, String> {
    JobStatus::parse(name).ok_or_else(|| {
        let names: Vec<_> = JobStatus::ALL.iter().map(|s| s.as_str()).collect();
        format!("the statuses are {}", names.join(", "))
    })
}
