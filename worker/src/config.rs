//! What a worker is told when it starts.

use std::time::Duration;

use orcaops_common::domain::id::{PoolName, WorkerName};

use crate::policy::Policy;

/// How long a job's message may stay silent before another worker gets it.
pub(crate) const DEFAULT_LEASE: Duration = Duration::from_secs(30);
/// How long a draining worker lets its jobs go on.
pub(crate) const DEFAULT_DRAIN_GRACE: Duration = Duration::from_secs(60);
/// How many bytes of a job's output are kept in its log.
pub(crate) const DEFAULT_MAX_LOG_BYTES: u64 = 100 * 1024 * 1024;
/// How long a job's container is kept where its spec wants it kept.
pub(crate) const DEFAULT_KEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// How long an artifact on its way may stand still.
pub(crate) const DEFAULT_ARTIFACTS_STALL: Duration = Duration::from_secs(60);
/// The fleet of workers that name none.
pub(crate) const DEFAULT_FLEET: &str = "default";

/// What a worker is told when it starts.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Its name, unique in the fleet.
    pub name: WorkerName,
    /// The pool whose jobs it takes.
    pub pool: PoolName,
    /// How many jobs it runs at once at most.
    pub slots: usize,
    /// How long a job's message may stay silent before another worker gets it. The same for the whole fleet.
    pub lease: Duration,
    /// The engine's address, as in `DOCKER_HOST`; the platform's default when absent.
    pub docker_host: Option<String>,
    /// Names the fleet in the labels of containers: only containers of its own fleet are ever swept.
    pub fleet: String,
    /// How long [`Worker::stop`](crate::Worker::stop) lets jobs go on before it hands them back.
    pub drain_grace: Duration,
    /// How many bytes of a job's output are kept in its log; what follows is counted, not kept.
    pub max_log_bytes: u64,
    /// What jobs may ask of this host.
    pub policy: Policy,
    /// How long a job's container is kept where its spec wants it kept, from the end of the job's time.
    pub keep: Duration,
    /// How long an artifact may stand still on its way from the container to the bus until its job fails.
    pub artifacts_stall: Duration,
}

impl WorkerConfig {
    /// A worker of that name with the defaults: pool `default`, a slot for each core.
    #[must_use]
    pub fn new(name: WorkerName) -> Self {
        Self {
            name,
            pool: PoolName::default(),
            slots: std::thread::available_parallelism().map_or(1, usize::from),
            lease: DEFAULT_LEASE,
            docker_host: None,
            fleet: DEFAULT_FLEET.to_owned(),
            drain_grace: DEFAULT_DRAIN_GRACE,
            max_log_bytes: DEFAULT_MAX_LOG_BYTES,
            policy: Policy::default(),
            keep: DEFAULT_KEEP,
            artifacts_stall: DEFAULT_ARTIFACTS_STALL,
        }
    }
}
