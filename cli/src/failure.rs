//! Why a command failed, other than by its job's own fault.

use std::error::Error;

use orcaops_common::config::ConfigError;
use orcaops_common::import::ImportError;
use orcaops_common::telemetry::InvalidFilter;

use crate::client::ClientError;
use crate::sandbox_file::SandboxError;
use crate::spec::SpecError;
use crate::startup::StartError;
use crate::upload::PackError;

/// A command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It was used wrongly.
    #[error("{0}")]
    Usage(String),
    /// The settings can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log filter can't be used.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    /// The job that was asked for can't be submitted.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The sandbox that was asked for can't be had.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The folder to upload can't be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A part of OrcaOps can't start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A call of the API failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The API can't be asked any more about a job that it accepted.
    #[error("lost sight of job {job}, which goes on; look at it later with `orcaops jobs status {job}`")]
    LostSight {
        /// The job.
        job: String,
        /// What happened.
        #[source]
        cause: ClientError,
    },
    /// Runs can't be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// What there is to say can't be written.
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
    /// The process can't do what every process can.
    #[error("cannot start: the system refuses threads or signals")]
    Runtime(#[source] std::io::Error),
    /// A health check found something unwell.
    #[error("{0}")]
    Unwell(String),
}

/// An error and its causes in one sentence.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Some libraries print their cause in their own text already.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
