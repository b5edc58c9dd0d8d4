//! Applies events to the runs that a transaction holds.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Recorded;
use super::changes::{AttemptChange, Changes, NewArtifact, NewStep, Outcome};
use super::failure::Failure;
use super::held::{HeldRun, Wait};
use super::rows::{ArtifactKeyRow, StepKeyRow};
use super::stamp::Stamp;
use super::stored_form;
use crate::domain::event::{Event, EventBody, Finished};
use crate::domain::id::{AttemptId, JobId};
use crate::domain::run::{ArtifactMetadata, CleanupStatus, EndCause, JobStatus, StepResult};
use crate::domain::state::{Decision, Refusal, decide};

const LOST: &str = "its workers fell silent until no attempt was left";
const NOT_A_RESULT: &str = "the worker reported a result that is none";

/// Events under way into the store, with all that is known of the runs they speak of.
pub(super) struct Batch {
    runs: BTreeMap<JobId, HeldRun>,
    touched: BTreeSet<JobId>,
    steps: HashMap<(JobId, AttemptId), HashSet<u32>>,
    artifacts: HashMap<(JobId, AttemptId), HashSet<String>>,
    changes: Changes,
}

/// The jobs that events speak of, in order and each once.
pub(super) fn jobs(events: &[Event]) -> Vec<String> {
    distinct(events.iter())
}

/// The jobs whose known steps and artifacts must be known to apply the events.
pub(super) fn jobs_with_rows(events: &[Event]) -> Vec<String> {
    distinct(events.iter().filter(|e| match e.body {
        EventBody::StepEnded { .. } | EventBody::ArtifactsStored { .. } | EventBody::Finished(_) => true,
        EventBody::Started
        | EventBody::ContainerCreated { .. }
        | EventBody::HandedBack { .. }
        | EventBody::Cleaned { .. } => false,
    }))
}

fn distinct<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<String> {
    let jobs: BTreeSet<_> = events.map(|e| &e.job_id).collect();
    jobs.into_iter().map(ToString::to_string).collect()
}

impl Batch {
    pub(super) fn new(
        runs: Vec<HeldRun>,
        steps: Vec<StepKeyRow>,
        artifacts: Vec<ArtifactKeyRow>,
    ) -> Result<Self, Failure> {
        let mut batch = Self {
            runs: runs.into_iter().map(|run| (run.job_id.clone(), run)).collect(),
            touched: BTreeSet::new(),
            steps: HashMap::new(),
            artifacts: HashMap::new(),
            changes: Changes::default(),
        };
        for row in steps {
            let (key, index) = row.into_key()?;
            batch.steps.entry(key).or_default().insert(index);
        }
        for row in artifacts {
            let (key, path) = row.into_key()?;
            batch.artifacts.entry(key).or_default().insert(path);
        }
        Ok(batch)
    }

    /// Applies an event, and says what became of it.
    pub(super) fn apply(&mut self, event: &Event, accept_gaps: bool) -> Recorded {
        let Some(run) = self.runs.get(&event.job_id) else {
            return Recorded::Refused(Refusal::Unknown);
        };
        match decide(&run.state(event.attempt), event.attempt, &event.body) {
            Decision::Duplicate => Recorded::Duplicate,
            Decision::Refuse(refusal) => Recorded::Refused(refusal),
            Decision::Cancel { .. } => {
                self.enter(event);
                self.cancel(event);
                Recorded::Refused(Refusal::Cancelled)
            }
            Decision::Apply { .. } => match &event.body {
                EventBody::Finished(finished) if !accept_gaps && self.lacks_rows(event, finished) => {
                    Recorded::Early
                }
                _ => self.enter_and_apply(event),
            },
        }
    }

    /// What is to be written.
    pub(super) fn into_changes(self) -> Changes {
        let Self { mut changes, touched, runs, .. } = self;
        changes.runs = runs.into_values().filter(|run| touched.contains(&run.job_id)).collect();
        changes
    }

    fn enter_and_apply(&mut self, event: &Event) -> Recorded {
        let entered = self.enter(event);
        let changed = match &event.body {
            EventBody::Started => true,
            EventBody::ContainerCreated { sandbox_id } => self.container(event, sandbox_id),
            EventBody::StepEnded { index, result } => self.step(event, *index, result),
            EventBody::ArtifactsStored { artifacts } => self.artifacts(event, artifacts),
            EventBody::Finished(finished) => self.finish(event, finished),
            EventBody::HandedBack { drain, reason } => self.hand_back(event, *drain, reason),
            EventBody::Cleaned { status } => self.clean(event, *status),
        };
        if entered || changed { Recorded::Applied } else { Recorded::Duplicate }
    }

    /// Makes the attempt that speaks the current one; `false` when it is so already.
    fn enter(&mut self, event: &Event) -> bool {
        let Some(run) = self.runs.get_mut(&event.job_id) else { return false };
        if run.current == Some(event.attempt) {
            return false;
        }
        if run.status == JobStatus::Running {
            self.changes.end_current(run, Outcome::Superseded, None, run.now);
        }
        run.begin(event);
        if !run.status.is_terminal() {
            run.status = JobStatus::Running;
        }
        self.changes.attempts.insert(
            (run.job_id.clone(), event.attempt),
            AttemptChange {
                number: run.number,
                worker: event.worker.clone(),
                started_at: Stamp::from(event.at),
                end: None,
            },
        );
        self.touched.insert(event.job_id.clone());
        true
    }

    fn run_mut(&mut self, event: &Event) -> Option<&mut HeldRun> {
        self.touched.insert(event.job_id.clone());
        self.runs.get_mut(&event.job_id)
    }

    fn container(&mut self, event: &Event, sandbox_id: &str) -> bool {
        let sandbox_id = stored_form::text(sandbox_id);
        let Some(run) = self.run_mut(event) else { return false };
        if run.sandbox_id.as_ref() == Some(&sandbox_id) {
            return false;
        }
        run.sandbox_id = Some(sandbox_id);
        // What is known of its end already, when events come out of order, is later news.
        run.cleanup.get_or_insert(CleanupStatus::Pending);
        true
    }

    fn step(&mut self, event: &Event, index: u32, result: &StepResult) -> bool {
        let key = (event.job_id.clone(), event.attempt);
        let new = self.steps.entry(key).or_default().insert(index);
        if new {
            self.changes.steps.push(NewStep {
                job_id: event.job_id.clone(),
                attempt: event.attempt,
                index,
                result: stored_form::step(result),
            });
        }
        new
    }

    fn artifacts(&mut self, event: &Event, artifacts: &[ArtifactMetadata]) -> bool {
        let known = self.artifacts.entry((event.job_id.clone(), event.attempt)).or_default();
        let before = self.changes.artifacts.len();
        for artifact in artifacts.iter().map(stored_form::artifact) {
            if known.insert(artifact.path.clone()) {
                self.changes.artifacts.push(NewArtifact {
                    job_id: event.job_id.clone(),
                    attempt: event.attempt,
                    artifact,
                });
            }
        }
        self.changes.artifacts.len() > before
    }

    fn lacks_rows(&self, event: &Event, finished: &Finished) -> bool {
        let key = (event.job_id.clone(), event.attempt);
        let steps = self.steps.get(&key).map_or(0, HashSet::len);
        let artifacts = self.artifacts.get(&key).map_or(0, HashSet::len);
        steps < finished.steps as usize || artifacts < finished.artifacts as usize
    }

    fn finish(&mut self, event: &Event, finished: &Finished) -> bool {
        let at = Stamp::from(event.at);
        let error = finished.error.as_deref().map(stored_form::text);
        self.touched.insert(event.job_id.clone());
        let Some(run) = self.runs.get_mut(&event.job_id) else { return false };
        self.changes.end_current(run, Outcome::Finished, None, at);
        run.notes = stored_form::notes(&finished.notes);
        run.built_image = finished.built_image.clone();
        if finished.status.is_terminal() {
            run.end(finished.status, finished.end_cause, error, at);
        } else {
            run.end(JobStatus::Failed, EndCause::Engine, Some(NOT_A_RESULT.to_owned()), at);
        }
        true
    }

    fn hand_back(&mut self, event: &Event, drain: bool, reason: &str) -> bool {
        let at = Stamp::from(event.at);
        let reason = stored_form::text(reason);
        self.touched.insert(event.job_id.clone());
        let Some(run) = self.runs.get_mut(&event.job_id) else { return false };
        self.changes.end_current(run, Outcome::HandedBack, Some(&reason), at);
        let (spent, wait) = if drain {
            (run.spent_without_current(), Wait::None)
        } else {
            (run.spent_with_current(), Wait::Backoff)
        };
        if !run.exhausted_by(spent) {
            run.requeue(spent, wait);
        } else if drain {
            run.end(JobStatus::Failed, EndCause::Lost, Some(LOST.to_owned()), run.now);
        } else {
            run.end(JobStatus::Failed, EndCause::Engine, Some(reason), run.now);
        }
        true
    }

    fn clean(&mut self, event: &Event, status: CleanupStatus) -> bool {
        let Some(run) = self.run_mut(event) else { return false };
        run.cleanup.replace(status) != Some(status)
    }

    fn cancel(&mut self, event: &Event) {
        self.touched.insert(event.job_id.clone());
        let Some(run) = self.runs.get_mut(&event.job_id) else { return };
        self.changes.end_current(run, Outcome::Cancelled, None, run.now);
        run.end(JobStatus::Cancelled, EndCause::Cancelled, None, run.now);
    }
}

/// Takes a run back from a bus whose data is gone, and gives it its next dispatch under `generation`. A
/// running attempt is spent; a run with none left ends, and so does one that a user had asked to cancel.
pub(super) fn take_back(mut run: HeldRun, generation: &str, changes: &mut Changes) {
    let at = run.now;
    let running = run.status == JobStatus::Running;
    let spent = if running { run.spent_with_current() } else { run.attempts_spent };
    if running {
        changes.end_current(&run, Outcome::Lost, None, at);
    }
    if run.cancel_requested_at.is_some() {
        run.end(JobStatus::Cancelled, EndCause::Cancelled, None, at);
    } else if running && run.is_lost_for_good(spent) {
        run.end(JobStatus::Failed, EndCause::Lost, Some(LOST.to_owned()), at);
    } else {
        let not_before = run.not_before.filter(|_| !running);
        run.requeue(spent, Wait::None);
        run.not_before = run.not_before.max(not_before);
        run.generation = generation.to_owned();
    }
    changes.runs.push(run);
}
