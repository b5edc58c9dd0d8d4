//! Forgets the logs of mirrored runs on the bus, some time later: readers may still be following them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use orcaops_common::bus::Bus;
use orcaops_common::domain::id::JobId;
use tokio::time::Instant;

use crate::error::chain;

/// How long a mirrored log stays on the bus.
const DELAY: Duration = Duration::from_secs(600);
/// How many logs may wait. The oldest of more are left to the bus' own retention.
const WAITING: usize = 100_000;
/// How many are forgotten in a row.
const BATCH: usize = 100;

/// Logs to forget.
#[derive(Default)]
pub(super) struct Forget {
    waiting: VecDeque<(Instant, JobId)>,
}

impl Forget {
    pub(super) fn later(&mut self, job: JobId) {
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((Instant::now() + DELAY, job));
    }

    /// Forgets those whose time has come.
    pub(super) async fn due(&mut self, bus: &Arc<dyn Bus>) {
        for _ in 0..BATCH {
            match self.waiting.front() {
                Some((at, _)) if *at <= Instant::now() => {}
                _ => return,
            }
            let Some((_, job)) = self.waiting.pop_front() else { return };
            if let Err(error) = bus.delete_log(&job).await {
                tracing::debug!(job.id = %job, error = chain(&error), "a mirrored log is left on the bus");
            }
        }
    }
}
