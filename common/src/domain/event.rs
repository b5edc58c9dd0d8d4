//! What a worker says about an attempt. The record is made of these and of nothing else.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::{AttemptId, JobId, WorkerName};
use super::run::{ArtifactMetadata, BuiltImage, CleanupStatus, EndCause, JobStatus, StepResult};

/// The version of the events' JSON. It grows when a reader of the old form would misread the new one.
pub const EVENT_VERSION: u16 = 1;

/// Something that happened to an attempt.
///
/// Every event may be delivered more than once and, when a recorder is replaced, out of order. So each one
/// can be applied on its own, and twice is as good as once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// [`EVENT_VERSION`] of the writer.
    pub v: u16,
    /// The job.
    pub job_id: JobId,
    /// The attempt that speaks.
    pub attempt: AttemptId,
    /// The attempt's number as users count it, from 1; attempts handed back by a drain do not count.
    pub number: u32,
    /// Grows by one with each event of the attempt.
    pub seq: u64,
    /// When it happened, by the worker's clock.
    pub at: DateTime<Utc>,
    /// The worker that speaks.
    pub worker: WorkerName,
    /// What happened.
    pub body: EventBody,
}

/// What happened to an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventBody {
    /// A worker took the job.
    Started,
    /// The container exists.
    ContainerCreated {
        /// Its id.
        sandbox_id: String,
    },
    /// A step ended.
    StepEnded {
        /// Its place in the spec, from 0.
        index: u32,
        /// What it did.
        result: Box<StepResult>,
    },
    /// Artifacts are in the object store, under [`artifact_object`](crate::domain::message::artifact_object).
    ArtifactsStored {
        /// What they are.
        artifacts: Vec<ArtifactMetadata>,
    },
    /// The attempt has a result, and so has the job.
    Finished(Finished),
    /// The attempt is over without a result; the job is to be queued again.
    HandedBack {
        /// Whether the worker is going away, which spends no attempt.
        drain: bool,
        /// What happened, in words.
        reason: String,
    },
    /// The container's end is known.
    Cleaned {
        /// What became of it.
        status: CleanupStatus,
    },
}

/// A job's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// A terminal status.
    pub status: JobStatus,
    /// Why it ended.
    pub end_cause: EndCause,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// How many `StepEnded` events this attempt sent.
    pub steps: u32,
    /// How many artifacts this attempt's `ArtifactsStored` events name.
    pub artifacts: u32,
    /// What its user should know though it decided nothing; at most [`MAX_NOTES`], each of at most
    /// [`MAX_NOTE`] bytes.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The image that the job built.
    #[serde(default)]
    pub built_image: Option<BuiltImage>,
}

/// The most notes of a result. The store keeps no more.
pub const MAX_NOTES: usize = 100;
/// The longest note, in bytes. The store cuts longer ones.
pub const MAX_NOTE: usize = 4096;
