//! Containers as lists show them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::{JobId, WorkerName};

/// A container that OrcaOps made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Container {
    /// Its id on its engine.
    pub id: String,
    /// Its names there.
    pub names: Vec<String>,
    /// The image it was made of, as its job names it.
    pub image: String,
    /// How it is, in the engine's words.
    pub status: String,
    /// The worker that made it.
    pub worker: WorkerName,
    /// The job that it was made for.
    #[serde(default)]
    pub job_id: Option<JobId>,
    /// The number of the attempt that it was made for, from 1.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    /// When it will be removed, if it is kept.
    #[serde(default)]
    pub kept_until: Option<DateTime<Utc>>,
}
