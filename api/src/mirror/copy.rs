//! Mirrors one run.

use std::sync::Arc;

use orcaops_common::bus::{Bus, BusError, LogPosition};
use orcaops_common::domain::id::{AttemptId, JobId};
use orcaops_common::domain::message::artifact_object;
use orcaops_common::domain::run::{ArtifactMetadata, JobStatus, RunRecord};
use orcaops_common::layout::{LayoutError, RunLayout};
use orcaops_common::store::{Store, StoreError};

use super::log::{self, LogCopy};
use crate::error::chain;

/// Why a run could not be mirrored now.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) enum CopyError {
    Store(#[from] StoreError),
    Bus(#[from] BusError),
    Layout(#[from] LayoutError),
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copied {
    /// All is on disk, and the store knows.
    Done,
    /// The log's end has not come yet; so far the log goes.
    LogUnderWay(LogPosition),
}

/// Whether a log's end is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogWait {
    /// It is. The log was read as far as `read` before and had not ended.
    UntilItEnds {
        /// How far it was read.
        read: Option<LogPosition>,
    },
    /// It is not: what is there is taken.
    Over,
}

/// What mirroring one run needs.
#[derive(Clone)]
pub(super) struct Copier {
    pub(super) store: Arc<dyn Store>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) layout: RunLayout,
}

impl Copier {
    /// Mirrors a run that has ended.
    pub(super) async fn copy(
        &self,
        job: &JobId,
        attempt: Option<AttemptId>,
        log: LogWait,
    ) -> Result<Copied, CopyError> {
        let Some(record) = self.store.run(job).await? else { return Ok(Copied::Done) };
        if self.layout.read_log(job).await?.is_none() {
            let wait_for = match log {
                LogWait::UntilItEnds { read: Some(read) } if self.bus.log_end(job).await? == read => {
                    return Ok(Copied::LogUnderWay(read));
                }
                LogWait::UntilItEnds { .. } => attempt,
                LogWait::Over => None,
            };
            if let LogCopy::UnderWay(read) = log::copy(&self.bus, &self.layout, job, wait_for).await? {
                return Ok(Copied::LogUnderWay(read));
            }
        }
        if let Some(attempt) = attempt {
            for artifact in &record.artifacts {
                self.artifact(job, attempt, artifact).await?;
            }
        }
        self.layout.write_steps(job, &record.steps).await?;
        self.layout.write_record(&record).await?;
        self.store.mirrored(job).await?;
        self.refresh_if_changed(&record).await?;
        if let Some(attempt) = attempt {
            self.forget_artifacts(job, attempt, &record.artifacts).await;
        }
        Ok(Copied::Done)
    }

    /// Writes what is known of a run that is running. Says whether it still was when that was done.
    pub(super) async fn copy_running(&self, job: &JobId) -> Result<bool, CopyError> {
        let is_running = |record: &RunRecord| record.status == JobStatus::Running;
        let Some(record) = self.store.run(job).await?.filter(is_running) else { return Ok(false) };
        self.layout.write_steps(job, &record.steps).await?;
        self.layout.write_record(&record).await?;
        Ok(self.store.run(job).await?.as_ref().is_some_and(is_running))
    }

    /// Writes the record of a mirrored run again. One that is not mirrored yet will be as it is then.
    pub(super) async fn refresh(&self, job: &JobId) -> Result<(), CopyError> {
        // A record that says that its run has ended is written last: until then it will be new enough.
        let written = self.layout.read_record(job).await?;
        if written.is_some_and(|written| written.status.is_terminal())
            && let Some(record) = self.store.run(job).await?.filter(|r| r.status.is_terminal())
        {
            self.layout.write_record(&record).await?;
        }
        Ok(())
    }

    /// The container's end may have been recorded while the run was mirrored.
    async fn refresh_if_changed(&self, written: &RunRecord) -> Result<(), CopyError> {
        match self.store.run(&written.job_id).await? {
            Some(now) if now != *written => Ok(self.layout.write_record(&now).await?),
            Some(_) | None => Ok(()),
        }
    }

    async fn artifact(
        &self,
        job: &JobId,
        attempt: AttemptId,
        artifact: &ArtifactMetadata,
    ) -> Result<(), CopyError> {
        let path = self.layout.artifact_path(job, &artifact.path)?;
        // Files appear under their name only when they are whole.
        if tokio::fs::metadata(&path).await.is_ok_and(|m| m.len() == artifact.size_bytes) {
            return Ok(());
        }
        match self.bus.get_object(&artifact_object(job, attempt, &artifact.path)).await {
            Ok((_, content)) => Ok(self.layout.put_artifact(job, artifact, content).await?),
            Err(BusError::NotFound { .. } | BusError::Corrupt { .. }) => {
                // It will not come back; the rest of the run is worth keeping.
                tracing::error!(job.id = %job, path = artifact.path, "an artifact's bytes are lost");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn forget_artifacts(&self, job: &JobId, attempt: AttemptId, artifacts: &[ArtifactMetadata]) {
        for artifact in artifacts {
            let object = artifact_object(job, attempt, &artifact.path);
            if let Err(error) = self.bus.delete_object(&object).await {
                tracing::debug!(object, error = chain(&error), "a mirrored artifact is left on the bus");
            }
        }
    }
}
