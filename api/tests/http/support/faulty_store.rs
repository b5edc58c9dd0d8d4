//! A real store that can be told to be away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use orcaops_common::domain::control::{Heartbeat, RunningAttempt, StopAttempt};
use orcaops_common::domain::event::Event;
use orcaops_common::domain::id::{AttemptId, JobId};
use orcaops_common::domain::message::JobMessage;
use orcaops_common::domain::run::{JobStatus, RunRecord};
use orcaops_common::store::{
    Cancelled, Deletion, Import, NewRun, Recorded, RunCursor, RunQuery, RunUnderWay, Store, StoreError,
    Submission, Unsettled, WorkerRow,
};

/// A store that can be made to be away.
pub(crate) struct FaultyStore {
    inner: Arc<dyn Store>,
    away: AtomicBool,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, away: AtomicBool::new(false) }
    }

    pub(crate) fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn here(&self) -> Result<&Arc<dyn Store>, StoreError> {
        if !self.away.load(Ordering::SeqCst) {
            return Ok(&self.inner);
        }
        Err(StoreError::Unavailable { address: "db.test:5432".to_owned(), cause: "secret detail".into() })
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.here()?.ping().await
    }
    async fn submit(&self, run: &NewRun) -> Result<Submission, StoreError> {
        self.here()?.submit(run).await
    }
    async fn submit_new(&self, runs: &[NewRun]) -> Result<Vec<bool>, StoreError> {
        self.here()?.submit_new(runs).await
    }
    async fn run(&self, job: &JobId) -> Result<Option<RunRecord>, StoreError> {
        self.here()?.run(job).await
    }
    async fn runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        self.here()?.runs(query).await
    }
    async fn count(&self, status: Option<JobStatus>) -> Result<u64, StoreError> {
        self.here()?.count(status).await
    }
    async fn record(&self, events: &[Event], accept_gaps: bool) -> Result<Vec<Recorded>, StoreError> {
        self.here()?.record(events, accept_gaps).await
    }
    async fn cancel(&self, job: &JobId, at: DateTime<Utc>) -> Result<Option<Cancelled>, StoreError> {
        self.here()?.cancel(job, at).await
    }
    async fn heartbeat(&self, beat: &Heartbeat) -> Result<Vec<StopAttempt>, StoreError> {
        self.here()?.heartbeat(beat).await
    }
    async fn workers(&self, within: Duration) -> Result<Vec<WorkerRow>, StoreError> {
        self.here()?.workers(within).await
    }
    async fn lease(&self, name: &str, holder: &str, duration: Duration) -> Result<bool, StoreError> {
        self.here()?.lease(name, holder, duration).await
    }
    async fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.here()?.release_lease(name, holder).await
    }
    async fn due(
        &self,
        generation: &str,
        grace: Duration,
        limit: u32,
    ) -> Result<Vec<JobMessage>, StoreError> {
        self.here()?.due(generation, grace, limit).await
    }
    async fn published(&self, jobs: &[(JobId, u32)]) -> Result<(), StoreError> {
        self.here()?.published(jobs).await
    }
    async fn message(&self, job: &JobId) -> Result<Option<JobMessage>, StoreError> {
        self.here()?.message(job).await
    }
    async fn unmirrored(
        &self,
        generation: &str,
        limit: u32,
    ) -> Result<Vec<(JobId, Option<AttemptId>)>, StoreError> {
        self.here()?.unmirrored(generation, limit).await
    }
    async fn end_cancelled(&self, silent_for: Duration, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.here()?.end_cancelled(silent_for, limit).await
    }
    async fn unsettled(&self, older_than: Duration, limit: u32) -> Result<Vec<Unsettled>, StoreError> {
        self.here()?.unsettled(older_than, limit).await
    }
    async fn mirrored(&self, job: &JobId) -> Result<(), StoreError> {
        self.here()?.mirrored(job).await
    }
    async fn under_way(
        &self,
        age: Duration,
        after: Option<&RunCursor>,
        limit: u32,
    ) -> Result<Vec<RunUnderWay>, StoreError> {
        self.here()?.under_way(age, after, limit).await
    }
    async fn import(&self, record: &RunRecord) -> Result<Import, StoreError> {
        self.here()?.import(record).await
    }
    async fn attempt(&self, job: &JobId) -> Result<Option<RunningAttempt>, StoreError> {
        self.here()?.attempt(job).await
    }
    async fn delete(&self, job: &JobId) -> Result<Deletion, StoreError> {
        self.here()?.delete(job).await
    }
}
