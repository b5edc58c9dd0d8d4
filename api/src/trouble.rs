//! How a background task lives through failures: it says so once, waits, and tries again.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::chain;

/// The wait after the first failure in a row; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest wait between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A row of failures of one thing.
pub(crate) struct Trouble {
    what: &'static str,
    failures: u32,
}

impl Trouble {
    /// No failure yet. `what` completes the sentence "… failed".
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, failures: 0 }
    }

    /// It worked: the row of failures, if there was one, is over.
    pub(crate) fn over(&mut self) {
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "{} works again", self.what);
            self.failures = 0;
        }
    }

    /// Notes a failure. Only the first in a row is a warning.
    pub(crate) fn note(&mut self, error: &(dyn std::error::Error + 'static)) {
        if self.failures == 0 {
            tracing::warn!(error = chain(error), "{} failed; trying again until it works", self.what);
        } else {
            tracing::debug!(error = chain(error), "{} failed again", self.what);
        }
        self.failures = self.failures.saturating_add(1);
    }

    /// How long to wait before the next try.
    pub(crate) fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(10);
        FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
    }

    /// Notes a failure and waits. `false` when the task is to end instead.
    pub(crate) async fn wait(
        &mut self,
        error: &(dyn std::error::Error + Send + Sync + 'static),
        stop: &CancellationToken,
    ) -> bool {
        self.note(error);
        tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep(self.pause()) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_start_over_when_it_works_again() {
        let mut trouble = Trouble::new("a test");
        let error = std::io::Error::other("no");
        let mut pauses = Vec::new();
        for _ in 0..40 {
            trouble.note(&error);
            pauses.push(trouble.pause());
        }
        assert!(pauses.is_sorted());
        assert_eq!((pauses[0], pauses[39]), (FIRST_PAUSE, LONGEST_PAUSE));
        trouble.over();
        trouble.note(&error);
        assert_eq!(trouble.pause(), FIRST_PAUSE);
    }
}
