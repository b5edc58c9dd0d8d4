//! Plays a worker: takes a job from the bus and says what a worker would say.

use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use orcaops_common::bus::{Bus, Delivery, LogWriter};
use orcaops_common::domain::event::{EVENT_VERSION, Event, EventBody, Finished};
use orcaops_common::domain::id::{AttemptId, JobId, PoolName, WorkerName};
use orcaops_common::domain::log::{LogBody, LogEntry, LogStream};
use orcaops_common::domain::message::artifact_object;
use orcaops_common::domain::run::{ArtifactMetadata, CleanupStatus, EndCause, JobStatus, StepResult};
use sha2::{Digest, Sha256};

use super::fixture::{Fixture, PATIENCE};

/// How long a delivered job may stay silent in tests.
const LEASE: Duration = Duration::from_secs(60);

/// A worker with one job in hand.
pub(crate) struct Player<'a> {
    fixture: &'a Fixture,
    pub(crate) job: JobId,
    pub(crate) attempt: AttemptId,
    pub(crate) worker: WorkerName,
    delivery: Delivery,
    log: Box<dyn LogWriter>,
    seq: u64,
    steps: u32,
    artifacts: u32,
}

impl<'a> Player<'a> {
    /// Takes the next job, and says nothing yet.
    pub(crate) async fn take(fixture: &'a Fixture) -> Self {
        let mut queue = fixture.bus.jobs(&PoolName::default(), LEASE).await.unwrap();
        let delivery = tokio::time::timeout(PATIENCE, queue.next()).await.expect("a job comes").unwrap();
        let message = delivery.job.as_ref().unwrap();
        let (job, attempt) = (message.job_id.clone(), message.attempt(delivery.delivery));
        let log = fixture.bus.log_writer(&job).await.unwrap();
        let worker = WorkerName::new("player").unwrap();
        Self { fixture, job, attempt, worker, delivery, log, seq: 0, steps: 0, artifacts: 0 }
    }

    /// Takes the next job and starts it.
    pub(crate) async fn start(fixture: &'a Fixture) -> Self {
        let mut player = Self::take(fixture).await;
        player.say(EventBody::Started).await;
        player
    }

    pub(crate) fn event(&mut self, body: EventBody) -> Event {
        self.seq += 1;
        Event {
            v: EVENT_VERSION,
            job_id: self.job.clone(),
            attempt: self.attempt,
            number: 1,
            seq: self.seq,
            at: Utc::now(),
            worker: self.worker.clone(),
            body,
        }
    }

    pub(crate) async fn say(&mut self, body: EventBody) {
        let event = self.event(body);
        self.fixture.bus.publish_event(&event).await.unwrap();
    }

    /// Prints bytes as they are, line ends or not.
    pub(crate) async fn print(&mut self, stream: LogStream, bytes: impl AsRef<[u8]>) {
        self.print_as(Some(self.steps), stream, bytes).await;
    }

    /// Prints bytes of that step, or of none.
    pub(crate) async fn print_as(&mut self, step: Option<u32>, stream: LogStream, bytes: impl AsRef<[u8]>) {
        let data = Bytes::copy_from_slice(bytes.as_ref());
        self.entry(LogBody::Chunk { step, stream, data }).await;
    }

    pub(crate) async fn end_log(&mut self) {
        self.entry(LogBody::End).await;
    }

    async fn entry(&mut self, body: LogBody) {
        self.log.append(LogEntry { attempt: self.attempt, at: Utc::now(), body }).await.unwrap();
        self.log.flush().await.unwrap();
    }

    pub(crate) async fn step(&mut self, exit_code: i32, stdout: &str) {
        let event = self.step_event(exit_code, stdout);
        self.fixture.bus.publish_event(&event).await.unwrap();
    }

    /// The event of a step that ended, not published yet.
    pub(crate) fn step_event(&mut self, exit_code: i32, stdout: &str) -> Event {
        let result = StepResult {
            command: "true".to_owned(),
            exit_code,
            stdout: stdout.to_owned(),
            stderr: String::new(),
            duration_seconds: 0.5,
            timestamp: Utc::now(),
            signal: None,
            stdout_bytes: stdout.len() as u64,
            stderr_bytes: 0,
            cpu_seconds: None,
            max_rss_bytes: None,
            index: Some(self.steps),
            name: None,
            success: Some(exit_code == 0),
        };
        self.steps += 1;
        self.event(EventBody::StepEnded { index: self.steps - 1, result: Box::new(result) })
    }

    pub(crate) async fn artifact(&mut self, path: &str, content: &[u8]) {
        let artifact = ArtifactMetadata {
            mode: None,
            name: path.rsplit('/').next().unwrap().to_owned(),
            path: path.to_owned(),
            size_bytes: content.len() as u64,
            sha256: hex::encode(Sha256::digest(content)),
        };
        let object = artifact_object(&self.job, self.attempt, path);
        let content = std::io::Cursor::new(content.to_vec());
        self.fixture.bus.put_object(&object, Box::pin(content)).await.unwrap();
        self.say(EventBody::ArtifactsStored { artifacts: vec![artifact] }).await;
        self.artifacts += 1;
    }

    /// Ends the log, reports the result and acknowledges the job.
    pub(crate) async fn finish(&mut self, status: JobStatus) {
        self.end_log().await;
        self.report(status).await;
        self.delivery.lease.ack().await.unwrap();
    }

    /// Acknowledges the job without a result.
    pub(crate) async fn release(self) {
        self.delivery.lease.ack().await.unwrap();
    }

    /// Reports the result.
    pub(crate) async fn report(&mut self, status: JobStatus) {
        let end_cause = if status == JobStatus::Cancelled { EndCause::Cancelled } else { EndCause::Exit };
        let (steps, artifacts) = (self.steps, self.artifacts);
        self.say(EventBody::Finished(Finished {
            status,
            end_cause,
            error: None,
            steps,
            artifacts,
            notes: Vec::new(),
            built_image: None,
        }))
        .await;
    }

    pub(crate) async fn clean(&mut self) {
        self.say(EventBody::Cleaned { status: CleanupStatus::Destroyed }).await;
    }
}
