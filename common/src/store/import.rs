//! The form in which a store keeps a record that it takes over.

use std::collections::BTreeMap;

use super::changes::{AttemptChange, AttemptEnd, Changes, NewArtifact, NewStep, Outcome};
use super::stamp::Stamp;
use super::stored_form;
use crate::domain::id::{AttemptId, JobId, WorkerName};
use crate::domain::run::{ArtifactMetadata, CleanupStatus, RunRecord, StepResult};

/// The attempt that an imported run's steps and artifacts belong to.
pub(super) const ATTEMPT: AttemptId = AttemptId { dispatch: 1, delivery: 1 };
/// The generation of a bus that never was.
pub(super) const GENERATION: &str = "imported";
/// The worker of runs that were run by none: older versions had no workers.
const NOBODY: &str = "nobody";

/// The record as a store gives it back once it has taken it over: times to the microsecond, steps with their
/// indexes, artifacts by their paths and each once, and an end where older versions noted none.
#[must_use]
pub fn imported_form(record: &RunRecord) -> RunRecord {
    let time = |time| Stamp::from(time).time();
    let ended = record.status.is_terminal().then(|| {
        let last_step = record.steps.last().map(|s| s.timestamp);
        record.finished_at.or(last_step).or(record.started_at).unwrap_or(record.created_at)
    });
    RunRecord {
        created_at: time(record.created_at),
        started_at: record.started_at.map(time),
        finished_at: ended.map(time),
        ttl_expiry: record.ttl_expiry.map(time),
        steps: steps(&record.steps),
        artifacts: artifacts(&record.artifacts),
        sandbox_id: record.sandbox_id.as_deref().map(stored_form::text),
        image_ref: record.image_ref.as_deref().map(stored_form::text),
        fingerprint: record.fingerprint.as_deref().map(stored_form::text),
        error: record.error.as_deref().map(stored_form::text),
        notes: stored_form::notes(&record.notes),
        waiting_reason: None,
        // Nobody here will remove it, or ever hear that it was.
        cleanup_status: record.cleanup_status.filter(|status| *status != CleanupStatus::Pending),
        ..record.clone()
    }
}

fn steps(steps: &[StepResult]) -> Vec<StepResult> {
    let given: Vec<_> = steps.iter().map_while(|step| step.index).collect();
    let is_ordered = given.len() == steps.len() && given.is_sorted_by(|a, b| a < b);
    let stored = |(place, step): (u32, &StepResult)| StepResult {
        index: if is_ordered { step.index } else { Some(place) },
        timestamp: Stamp::from(step.timestamp).time(),
        ..stored_form::step(step)
    };
    (0..).zip(steps).map(stored).collect()
}

/// Of several with one path, the last: older versions overwrote the others' file.
fn artifacts(artifacts: &[ArtifactMetadata]) -> Vec<ArtifactMetadata> {
    let stored = artifacts.iter().map(stored_form::artifact);
    let by_path: BTreeMap<String, ArtifactMetadata> = stored.map(|a| (a.path.clone(), a)).collect();
    by_path.into_values().collect()
}

/// The rows beside the run's own that hold a record in its imported form.
#[expect(clippy::expect_used, reason = "a constant")]
pub(super) fn rows(record: &RunRecord) -> Changes {
    let job_id: &JobId = &record.job_id;
    let nobody = || WorkerName::new(NOBODY).expect("a valid name");
    let at = Stamp::from(record.finished_at.unwrap_or(record.created_at));
    let attempt = AttemptChange {
        number: record.attempt,
        worker: record.worker.clone().unwrap_or_else(nobody),
        started_at: Stamp::from(record.started_at.unwrap_or(record.created_at)),
        end: Some(AttemptEnd { at, outcome: Outcome::Finished, reason: None }),
    };
    let step = |result: &StepResult| NewStep {
        job_id: job_id.clone(),
        attempt: ATTEMPT,
        index: result.index.unwrap_or_default(),
        result: result.clone(),
    };
    let artifact = |artifact: &ArtifactMetadata| NewArtifact {
        job_id: job_id.clone(),
        attempt: ATTEMPT,
        artifact: artifact.clone(),
    };
    Changes {
        runs: Vec::new(),
        attempts: [((job_id.clone(), ATTEMPT), attempt)].into(),
        steps: record.steps.iter().map(step).collect(),
        artifacts: record.artifacts.iter().map(artifact).collect(),
    }
}
