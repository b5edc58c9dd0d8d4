//! How the tasks of one replica tell each other that there is something to do.
//!
//! Signals are hints that save waiting for the next look at the store. None is needed for correctness: a lost
//! one costs a second, and other replicas never get any.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use orcaops_common::domain::id::JobId;
use tokio::sync::{Notify, broadcast};

/// How many changes a slow listener may be behind before it must look for itself.
const CHANGES: usize = 1024;
/// How many records may wait to be written again. What is beyond is left as it was mirrored.
const REWRITES: usize = 10_000;

/// The signals of one replica.
#[derive(Clone)]
pub(crate) struct Signals {
    changed: broadcast::Sender<JobId>,
    schedule: Arc<Notify>,
    mirror: Arc<Notify>,
    rewrite: Arc<Mutex<BTreeSet<JobId>>>,
}

impl Signals {
    pub(crate) fn new() -> Self {
        Self {
            changed: broadcast::channel(CHANGES).0,
            schedule: Arc::default(),
            mirror: Arc::default(),
            rewrite: Arc::default(),
        }
    }

    /// A run may have ended.
    pub(crate) fn run_may_have_ended(&self, job: &JobId) {
        // Nobody listening is no failure.
        let _ = self.changed.send(job.clone());
        self.mirror.notify_one();
    }

    /// Runs that may have ended, from now on.
    pub(crate) fn runs_that_may_have_ended(&self) -> broadcast::Receiver<JobId> {
        self.changed.subscribe()
    }

    /// A run may have to be put on the bus.
    pub(crate) fn run_may_be_due(&self) {
        self.schedule.notify_one();
    }

    /// Waits until a run may have to be put on the bus.
    pub(crate) async fn due(&self) {
        self.schedule.notified().await;
    }

    /// Waits until there may be something to mirror.
    pub(crate) async fn to_mirror(&self) {
        self.mirror.notified().await;
    }

    /// A run's record changed after its end.
    pub(crate) fn record_changed_late(&self, job: &JobId) {
        let mut waiting = self.rewrite.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < REWRITES {
            waiting.insert(job.clone());
        }
        drop(waiting);
        self.mirror.notify_one();
    }

    /// Takes the runs whose record changed after their end.
    pub(crate) fn take_late_changes(&self) -> BTreeSet<JobId> {
        std::mem::take(&mut *self.rewrite.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
