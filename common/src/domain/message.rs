//! What the scheduler hands to workers, and the names both sides use for objects.

use serde::{Deserialize, Serialize};

use super::id::{AttemptId, JobId, PoolName};
use super::job::JobSpec;

/// A job on its way to a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobMessage {
    /// The job.
    pub job_id: JobId,
    /// Where it may run.
    pub pool: PoolName,
    /// How often the job was put on the bus, this time included.
    pub dispatch: u32,
    /// Attempts spent before this dispatch.
    pub attempts_spent: u32,
    /// How many attempts the job has in all.
    pub max_attempts: u32,
    /// When its time to live ends, if an attempt has started before.
    pub ttl_expiry: Option<chrono::DateTime<chrono::Utc>>,
    /// What to run.
    pub spec: JobSpec,
}

impl JobMessage {
    /// The attempt that this message's `delivery`-th delivery is.
    #[must_use]
    pub fn attempt(&self, delivery: u32) -> AttemptId {
        AttemptId { dispatch: self.dispatch, delivery }
    }

    /// The number of that attempt as users count it, from 1.
    #[must_use]
    pub fn attempt_number(&self, delivery: u32) -> u32 {
        self.attempts_spent.saturating_add(delivery)
    }
}

/// The object that holds an attempt's artifact. `path` is the artifact's path below the job's folder.
#[must_use]
pub fn artifact_object(job: &JobId, attempt: AttemptId, path: &str) -> String {
    format!("{}{attempt}/{path}", artifact_prefix(job))
}

/// What the names of all of a job's artifact objects start with.
#[must_use]
pub fn artifact_prefix(job: &JobId) -> String {
    format!("artifacts/{job}/")
}

/// The object that holds an upload of that SHA-256 (hex).
#[must_use]
pub fn upload_object(sha256: &str) -> String {
    format!("uploads/{sha256}")
}
