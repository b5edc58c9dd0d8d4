//! The contract, method by method.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    SqliteStore, cancel, cleanup, delete, dispatch, import, lease, mirror, query, record, submit, worker,
};
use crate::domain::control::{Heartbeat, RunningAttempt, StopAttempt};
use crate::domain::event::Event;
use crate::domain::id::{AttemptId, JobId};
use crate::domain::message::JobMessage;
use crate::domain::run::{JobStatus, RunRecord};
use crate::store::{
    Cancelled, Deletion, Import, NewRun, Recorded, RunCursor, RunQuery, RunUnderWay, Store, StoreError,
    Submission, Unsettled, WorkerRow,
};

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.bounded(query::ping(&self.readers)).await
    }

    async fn submit(&self, run: &NewRun) -> Result<Submission, StoreError> {
        self.bounded(submit::submit(&self.writer, &self.readers, run)).await
    }

    async fn submit_new(&self, runs: &[NewRun]) -> Result<Vec<bool>, StoreError> {
        self.bounded(submit::submit_new(&self.writer, runs)).await
    }

    async fn run(&self, job: &JobId) -> Result<Option<RunRecord>, StoreError> {
        self.bounded(query::run(&self.readers, job)).await
    }

    async fn runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        self.bounded(query::runs(&self.readers, query)).await
    }

    async fn count(&self, status: Option<JobStatus>) -> Result<u64, StoreError> {
        self.bounded(query::count(&self.readers, status)).await
    }

    async fn record(&self, events: &[Event], accept_gaps: bool) -> Result<Vec<Recorded>, StoreError> {
        self.bounded(record::record(&self.writer, events, accept_gaps)).await
    }

    async fn cancel(&self, job: &JobId, at: DateTime<Utc>) -> Result<Option<Cancelled>, StoreError> {
        self.bounded(cancel::cancel(&self.writer, job, at)).await
    }

    async fn heartbeat(&self, beat: &Heartbeat) -> Result<Vec<StopAttempt>, StoreError> {
        self.bounded(worker::heartbeat(&self.writer, beat)).await
    }

    async fn workers(&self, within: Duration) -> Result<Vec<WorkerRow>, StoreError> {
        self.bounded(worker::workers(&self.readers, within)).await
    }

    async fn lease(&self, name: &str, holder: &str, duration: Duration) -> Result<bool, StoreError> {
        self.bounded(lease::take(&self.writer, name, holder, duration)).await
    }

    async fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.bounded(lease::release(&self.writer, name, holder)).await
    }

    async fn due(
        &self,
        generation: &str,
        grace: Duration,
        limit: u32,
    ) -> Result<Vec<JobMessage>, StoreError> {
        self.bounded(dispatch::due(&self.writer, generation, grace, limit)).await
    }

    async fn published(&self, jobs: &[(JobId, u32)]) -> Result<(), StoreError> {
        self.bounded(dispatch::published(&self.writer, jobs)).await
    }

    async fn message(&self, job: &JobId) -> Result<Option<JobMessage>, StoreError> {
        self.bounded(dispatch::message(&self.readers, job)).await
    }

    async fn unmirrored(
        &self,
        generation: &str,
        limit: u32,
    ) -> Result<Vec<(JobId, Option<AttemptId>)>, StoreError> {
        self.bounded(mirror::unmirrored(&self.readers, generation, limit)).await
    }

    async fn mirrored(&self, job: &JobId) -> Result<(), StoreError> {
        self.bounded(mirror::mirrored(&self.writer, job)).await
    }

    async fn end_cancelled(&self, silent_for: Duration, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.bounded(cancel::end_cancelled(&self.writer, silent_for, limit)).await
    }

    async fn unsettled(&self, older_than: Duration, limit: u32) -> Result<Vec<Unsettled>, StoreError> {
        self.bounded(cleanup::unsettled(&self.readers, older_than, limit)).await
    }

    async fn under_way(
        &self,
        age: Duration,
        after: Option<&RunCursor>,
        limit: u32,
    ) -> Result<Vec<RunUnderWay>, StoreError> {
        self.bounded(mirror::under_way(&self.readers, age, after, limit)).await
    }

    async fn import(&self, record: &RunRecord) -> Result<Import, StoreError> {
        self.bounded(import::import(&self.writer, &self.readers, record)).await
    }

    async fn attempt(&self, job: &JobId) -> Result<Option<RunningAttempt>, StoreError> {
        self.bounded(query::attempt(&self.readers, job)).await
    }

    async fn delete(&self, job: &JobId) -> Result<Deletion, StoreError> {
        self.bounded(delete::delete(&self.writer, job)).await
    }
}
