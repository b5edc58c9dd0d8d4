//! The API's answers.

use orcaops_common::domain::container::Container;
use orcaops_common::domain::id::{JobId, WorkerName};
use orcaops_common::domain::run::{ArtifactMetadata, RunRecord};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ClientError;

/// An answer as it came, for those who want it whole, and as what it means.
#[derive(Debug)]
pub(crate) struct Raw<T> {
    /// As it came.
    pub(crate) json: Value,
    /// What it means.
    pub(crate) is: T,
}

impl<T: DeserializeOwned> Raw<T> {
    pub(super) fn read(address: &str, bytes: &[u8]) -> Result<Self, ClientError> {
        let unreadable = |cause| ClientError::Unreadable { address: address.to_owned(), cause };
        let json: Value = serde_json::from_slice(bytes).map_err(unreadable)?;
        let is = T::deserialize(&json).map_err(unreadable)?;
        Ok(Self { json, is })
    }
}

/// An accepted job.
#[derive(Debug, Deserialize)]
pub(crate) struct JobSubmit {
    /// The job.
    pub(crate) job_id: JobId,
}

/// Where a job stands.
#[derive(Debug, Deserialize)]
pub(crate) struct JobStatusAnswer {
    /// All that is known about it.
    pub(crate) record: RunRecord,
}

/// A page of jobs.
#[derive(Debug, Deserialize)]
pub(crate) struct JobList {
    /// Newest first.
    pub(crate) jobs: Vec<RunRecord>,
}

/// What became of a wish to cancel.
#[derive(Debug, Deserialize)]
pub(crate) struct JobCancel {
    /// What happens next, in words.
    pub(crate) message: String,
}

/// The files that a job left behind.
#[derive(Debug, Deserialize)]
pub(crate) struct ArtifactList {
    /// What they are.
    pub(crate) artifacts: Vec<ArtifactMetadata>,
}

/// Containers.
#[derive(Debug, Deserialize)]
pub(crate) struct ContainerList {
    /// Newest first.
    pub(crate) containers: Vec<Container>,
    /// Workers that did not say what they have.
    pub(crate) silent_workers: Vec<WorkerName>,
    /// How many more there are.
    pub(crate) left_out: u32,
}

/// A stored upload.
#[derive(Debug, Deserialize)]
pub(super) struct Upload {
    /// What an input names.
    pub(super) object: String,
}
