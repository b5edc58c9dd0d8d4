//! What API and workers ask each other directly, over the bus' request and reply.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::container::Container;
use super::event::Event;
use super::id::{AttemptId, JobId, PoolName, WorkerName};
use super::state::Refusal;

/// What a worker asks of the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum ApiCall {
    /// May this attempt run? Carries its `started` event; a yes has recorded it. Answer: [`Claimed`].
    Claim {
        /// The `started` event.
        event: Event,
    },
    /// I am here, and this is what I run. Answer: [`HeartbeatAnswer`].
    Heartbeat(Heartbeat),
}

/// Whether an attempt may run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Claimed {
    /// It may.
    Granted {
        /// When the job's time to live ends, where an earlier attempt began it; else it begins now.
        ttl_expiry: Option<DateTime<Utc>>,
    },
    /// It may not: acknowledge the message and leave the job alone.
    Refused {
        /// Why not.
        refusal: Refusal,
    },
    /// The store can't be asked now; the worker decides by itself.
    Unavailable,
}

/// What a worker says of itself, every few seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Its name.
    pub worker: WorkerName,
    /// Its pool.
    pub pool: PoolName,
    /// How many jobs it runs at once at most.
    pub slots: u32,
    /// Its version of OrcaOps.
    pub version: String,
    /// Whether it takes no more jobs.
    pub draining: bool,
    /// What it runs now.
    pub attempts: Vec<RunningAttempt>,
}

/// An attempt that a worker has in hand.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunningAttempt {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: AttemptId,
}

/// What a worker should no longer run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HeartbeatAnswer {
    /// Attempts to stop, and why.
    pub stop: Vec<StopAttempt>,
}

/// What the API asks of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum WorkerCall {
    /// Stop an attempt. Answer: [`Stopped`].
    Stop(StopAttempt),
    /// Which containers of your fleet are on your host? Answer: [`Containers`].
    Containers {
        /// Also those that do not run.
        all: bool,
    },
}

/// An attempt to stop, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopAttempt {
    /// The job.
    pub job_id: JobId,
    /// The attempt; `None` stops whichever the worker has.
    pub attempt: Option<AttemptId>,
    /// Why.
    pub reason: StopReason,
}

/// Why an attempt is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// A user cancelled the job: report it as cancelled.
    Cancelled,
    /// The attempt counts no more: end it, its words are ignored.
    Superseded,
}

/// Whether a worker had the attempt that it was asked to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// It had it, and is stopping it.
    pub found: bool,
}

/// The containers of a worker's fleet on its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Containers {
    /// What they are, newest first.
    pub containers: Vec<Container>,
    /// How many more there are.
    pub left_out: u32,
}
