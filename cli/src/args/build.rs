//! The arguments of `orcaops build`.

use std::path::PathBuf;

use clap::Args;
use orcaops_common::domain::build::BuildRequest;
use orcaops_common::domain::id::{JobId, PoolName};

use super::ServerArgs;

const HELP: &str = "\
Examples:
  orcaops build . -t app
  orcaops build . -t registry.example/team/app:1.2 --latest --push --registry-auth team
  orcaops build service -t service:dev -f docker/Dockerfile.dev --arg GO=1.23

The folder is sent, less what its .dockerignore names; the Dockerfile lies in it. A build is a job: it is found by \
`orcaops jobs`, and Ctrl-C cancels it. Its log is followed; the image's id and size are printed in the end. Without a \
server it is built by this machine's engine.

Exit codes are those of `orcaops run`: 0 when the image is built (and pushed), 1 when the build fails.";

/// Arguments of `orcaops build`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct BuildArgs {
    /// The folder that holds the build's context
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Name the image, `latest` where no version is named. Repeatable
    #[arg(short, long = "tag", value_name = "NAME[:VERSION]", required = true)]
    tags: Vec<String>,
    /// Give each name to the image as `latest`, too
    #[arg(long)]
    latest: bool,
    /// The Dockerfile's path within DIR [default: Dockerfile]
    #[arg(short, long = "file", value_name = "DOCKERFILE")]
    file: Option<String>,
    /// Set an ARG of the Dockerfile; the image's history shows it. Repeatable
    #[arg(long = "arg", value_name = "K=V")]
    args: Vec<String>,
    /// Push the image to where its names say
    #[arg(long)]
    push: bool,
    /// Credential to pull and push with, by the name that the worker's operator gave it
    #[arg(long, value_name = "NAME")]
    registry_auth: Option<String>,
    /// How long the build may take in all, 10 to 86400 [default: 3600]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// CPUs that each step may use, for example 0.5
    #[arg(long, value_name = "N")]
    cpu: Option<f64>,
    /// Memory that each step may use, for example 512m; at most 2047m
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Pool of workers that may build it [default: default]
    #[arg(long, value_name = "NAME")]
    pool: Option<PoolName>,
    /// The job's id; chosen for you when absent
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<JobId>,
    /// Submit the build, print its id, and leave. Needs a server
    #[arg(long, visible_alias = "no-wait")]
    pub(crate) detach: bool,
    /// Print the job's record as JSON; the log then goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

impl BuildArgs {
    /// What is asked for.
    pub(crate) fn request(&self) -> BuildRequest {
        BuildRequest {
            job_id: self.id.as_ref().map(ToString::to_string),
            names: self.tags.clone(),
            version: None,
            latest: self.latest,
            dockerfile: self.file.clone(),
            args: self.args.clone(),
            push: self.push,
            registry_auth: self.registry_auth.clone(),
            pool: self.pool.as_ref().map(ToString::to_string),
            timeout: self.timeout,
            memory: self.memory.clone(),
            cpu: self.cpu,
        }
    }
}

/// What was typed for a parameter of a build.
pub(crate) fn flag(parameter: &str) -> &str {
    match parameter {
        "name" | "version" => "--tag",
        "dockerfile" => "--file",
        "arg" => "--arg",
        "job_id" => "--id",
        "registry_auth" => "--registry-auth",
        "timeout" => "--timeout",
        "memory" => "--memory",
        "cpu" => "--cpu",
        "pool" => "--pool",
        other => other,
    }
}
