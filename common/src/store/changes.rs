//! What a transaction is to write, once all is decided.

use std::collections::BTreeMap;

use super::held::HeldRun;
use super::stamp::Stamp;
use crate::domain::id::{AttemptId, JobId, WorkerName};
use crate::domain::run::{ArtifactMetadata, StepResult};

/// The rows to write. Each list is in the order of its key, so that all writers lock in the same order.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) runs: Vec<HeldRun>,
    pub(super) attempts: BTreeMap<(JobId, AttemptId), AttemptChange>,
    pub(super) steps: Vec<NewStep>,
    pub(super) artifacts: Vec<NewArtifact>,
}

/// An attempt that begins, ends, or both. One that is known keeps its beginning, and the first end it was
/// given.
#[derive(Debug, Clone)]
pub(super) struct AttemptChange {
    pub(super) number: u32,
    pub(super) worker: WorkerName,
    pub(super) started_at: Stamp,
    pub(super) end: Option<AttemptEnd>,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(super) struct AttemptEnd {
    pub(super) at: Stamp,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
}

/// Why an attempt is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It reported a result.
    Finished,
    /// Its worker gave it back.
    HandedBack,
    /// A later attempt spoke while it was silent.
    Superseded,
    /// The bus that carried it is gone.
    Lost,
    /// It was found out to be cancelled.
    Cancelled,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Finished, Self::HandedBack, Self::Superseded, Self::Lost, Self::Cancelled];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::HandedBack => "handed_back",
            Self::Superseded => "superseded",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == name)
    }
}

/// A step's result in its stored form.
#[derive(Debug)]
pub(super) struct NewStep {
    pub(super) job_id: JobId,
    pub(super) attempt: AttemptId,
    pub(super) index: u32,
    pub(super) result: StepResult,
}

/// An artifact in its stored form.
#[derive(Debug)]
pub(super) struct NewArtifact {
    pub(super) job_id: JobId,
    pub(super) attempt: AttemptId,
    pub(super) artifact: ArtifactMetadata,
}

impl NewArtifact {
    /// What stands for the path in the key.
    pub(super) fn path_sha256(&self) -> Vec<u8> {
        use sha2::{Digest, Sha256};
        Sha256::digest(self.artifact.path.as_bytes()).to_vec()
    }
}

impl Changes {
    /// Notes the end of a run's current attempt, if it has one.
    pub(super) fn end_current(&mut self, run: &HeldRun, outcome: Outcome, reason: Option<&str>, at: Stamp) {
        let (Some(attempt), Some(worker)) = (run.current, &run.worker) else { return };
        let end = AttemptEnd { at, outcome, reason: reason.map(str::to_owned) };
        self.attempts
            .entry((run.job_id.clone(), attempt))
            .or_insert_with(|| AttemptChange {
                number: run.number,
                worker: worker.clone(),
                started_at: at,
                end: None,
            })
            .end
            .get_or_insert(end);
    }
}
