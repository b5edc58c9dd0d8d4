//! The background tasks of a replica, and their end.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a task that panicked rests before it starts again.
const PANIC_PAUSE: Duration = Duration::from_secs(1);

/// Tasks that end together.
#[derive(Clone)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self { tracker: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Cancelled when the tasks are to end.
    pub(crate) fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Runs a task of its own end.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Runs a task that lives until [`Tasks::stop_token`] is cancelled, and starts it again should it panic.
    pub(crate) fn keep<F, T>(&self, name: &'static str, task: F)
    where
        F: Fn(CancellationToken) -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            while AssertUnwindSafe(task(stop.clone())).catch_unwind().await.is_err() {
                tracing::error!(task = name, "a background task panicked; starting it again");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(PANIC_PAUSE) => {}
                }
            }
        });
    }

    /// Asks all tasks to end.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Asks all tasks to end and waits for them, at most so long. `false` when some did not.
    pub(crate) async fn end(&self, patience: Duration) -> bool {
        self.cancel();
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}
