//! Words to tell a case in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::domain::control::{Heartbeat, RunningAttempt};
use crate::domain::event::{EVENT_VERSION, Event, EventBody, Finished};
use crate::domain::id::{AttemptId, JobId, WorkerName};
use crate::domain::job::{JobCommand, JobSpec};
use crate::domain::message::JobMessage;
use crate::domain::run::{ArtifactMetadata, CleanupStatus, EndCause, JobStatus, RunRecord, StepResult};
use crate::store::{NewRun, Recorded, Store, Submission};

pub(super) type Handle = Arc<dyn Store>;

/// The generation of the bus that stories play under.
pub(super) const GENERATION: &str = "first";
/// The one after it.
pub(super) const NEXT_GENERATION: &str = "second";
/// How many attempts a job of a story has.
pub(super) const MAX_ATTEMPTS: u32 = 3;
/// More than any list of a story holds.
pub(super) const ALL: u32 = 100;

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(super) fn job(name: &str) -> JobId {
    JobId::new(name).unwrap()
}

pub(super) fn worker(name: &str) -> WorkerName {
    WorkerName::new(name).unwrap()
}

pub(super) fn attempt(dispatch: u32, delivery: u32) -> AttemptId {
    AttemptId { dispatch, delivery }
}

pub(super) fn new_run(name: &str) -> NewRun {
    let mut spec = JobSpec::new("busybox", vec![JobCommand::shell("true")]);
    spec.job_id = Some(job(name));
    spec.retry.max_attempts = MAX_ATTEMPTS;
    NewRun {
        job_id: job(name),
        spec,
        fingerprint: "f".repeat(64),
        created_at: Utc::now(),
        generation: GENERATION.to_owned(),
    }
}

/// Submits a job, and gives its id.
pub(super) async fn submit(store: &Handle, name: &str) -> JobId {
    let run = new_run(name);
    assert_eq!(store.submit(&run).await.unwrap(), Submission::Created);
    run.job_id
}

pub(super) async fn record_of(store: &Handle, job: &JobId) -> RunRecord {
    store.run(job).await.unwrap().expect("the run exists")
}

pub(super) fn event(job: &JobId, attempt: AttemptId, body: EventBody) -> Event {
    Event {
        v: EVENT_VERSION,
        job_id: job.clone(),
        attempt,
        number: attempt.delivery,
        seq: 1,
        at: Utc::now(),
        worker: worker("w1"),
        body,
    }
}

/// Gives the store one event.
pub(super) async fn tell(store: &Handle, job: &JobId, attempt: AttemptId, body: EventBody) -> Recorded {
    tell_all(store, &[event(job, attempt, body)]).await[0]
}

pub(super) async fn tell_all(store: &Handle, events: &[Event]) -> Vec<Recorded> {
    let recorded = store.record(events, false).await.unwrap();
    assert_eq!(recorded.len(), events.len());
    recorded
}

/// Has an attempt start.
pub(super) async fn start(store: &Handle, job: &JobId, attempt: AttemptId) {
    assert_eq!(tell(store, job, attempt, EventBody::Started).await, Recorded::Applied);
}

/// Has an attempt report its result, with no steps and no artifacts.
pub(super) async fn finish(store: &Handle, job: &JobId, attempt: AttemptId, status: JobStatus) {
    assert_eq!(tell(store, job, attempt, finished(status, 0, 0)).await, Recorded::Applied);
}

/// Submits, starts and ends a job.
pub(super) async fn run_to_end(store: &Handle, name: &str, status: JobStatus) -> JobId {
    let job = submit(store, name).await;
    start(store, &job, attempt(1, 1)).await;
    finish(store, &job, attempt(1, 1), status).await;
    job
}

pub(super) fn container(id: &str) -> EventBody {
    EventBody::ContainerCreated { sandbox_id: id.to_owned() }
}

pub(super) fn step_result(stdout: &str) -> StepResult {
    StepResult {
        command: "true".to_owned(),
        exit_code: 0,
        stdout: stdout.to_owned(),
        stderr: String::new(),
        duration_seconds: 0.25,
        timestamp: micros(Utc::now()),
        signal: None,
        stdout_bytes: stdout.len() as u64,
        stderr_bytes: 0,
        cpu_seconds: Some(0.125),
        max_rss_bytes: Some(4096),
        index: Some(0),
        name: Some("check".to_owned()),
        success: Some(true),
    }
}

pub(super) fn step(index: u32, stdout: &str) -> EventBody {
    let result = StepResult { index: Some(index), ..step_result(stdout) };
    EventBody::StepEnded { index, result: Box::new(result) }
}

pub(super) fn artifact(path: &str) -> ArtifactMetadata {
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    ArtifactMetadata {
        name,
        path: path.to_owned(),
        size_bytes: 3,
        sha256: "a".repeat(64),
        mode: Some("0644".to_owned()),
    }
}

pub(super) fn artifacts(paths: &[&str]) -> EventBody {
    EventBody::ArtifactsStored { artifacts: paths.iter().map(|p| artifact(p)).collect() }
}

pub(super) fn finished(status: JobStatus, steps: u32, artifacts: u32) -> EventBody {
    let end_cause = match status {
        JobStatus::Cancelled => EndCause::Cancelled,
        JobStatus::TimedOut => EndCause::Timeout,
        _ => EndCause::Exit,
    };
    EventBody::Finished(Finished {
        status,
        end_cause,
        error: None,
        steps,
        artifacts,
        notes: Vec::new(),
        built_image: None,
    })
}

pub(super) fn handed_back(drain: bool) -> EventBody {
    EventBody::HandedBack { drain, reason: "the engine went away".to_owned() }
}

pub(super) fn cleaned(status: CleanupStatus) -> EventBody {
    EventBody::Cleaned { status }
}

pub(super) fn heartbeat(name: &str, attempts: &[(&JobId, AttemptId)]) -> Heartbeat {
    Heartbeat {
        worker: worker(name),
        pool: "default".parse().unwrap(),
        slots: 2,
        version: "1.2.3".to_owned(),
        draining: false,
        attempts: attempts
            .iter()
            .map(|(job, attempt)| RunningAttempt { job_id: (*job).clone(), attempt: *attempt })
            .collect(),
    }
}

/// What is due now, with no grace for anybody.
pub(super) async fn due_now(store: &Handle, generation: &str) -> Vec<JobMessage> {
    store.due(generation, Duration::ZERO, ALL).await.unwrap()
}

/// Waits until a condition holds, and gives what it found.
pub(super) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "never came true: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Waits until a run is due, and gives its message.
pub(super) async fn until_due(store: &Handle, job: &JobId) -> JobMessage {
    eventually("the run is due", async || {
        due_now(store, GENERATION).await.into_iter().find(|m| m.job_id == *job)
    })
    .await
}

/// A time as the store keeps it.
pub(super) fn micros(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap()
}
