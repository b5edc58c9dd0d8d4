//! The attempts that this worker has in hand, and the way to stop each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orcaops_common::domain::control::{RunningAttempt, StopAttempt, StopReason};
use tokio::sync::watch;

/// Why an attempt is to stop, the stronger reason greater: a later, weaker one changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// The worker goes away: hand the job back.
    Drain,
    /// The job's time to live is over.
    Ttl,
    /// A user cancelled the job.
    Cancelled,
    /// The attempt counts no more: end it without a word.
    Superseded,
    /// The hold on the job could not be renewed: end it without a word.
    LeaseLost,
}

impl Stop {
    /// Whether what the attempt would report counts for nothing.
    pub(crate) fn is_silent(self) -> bool {
        matches!(self, Self::Superseded | Self::LeaseLost)
    }
}

/// Tells one attempt to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stopper(watch::Sender<Option<Stop>>);

impl Stopper {
    /// Tells the attempt to stop, unless it was told a stronger reason already.
    pub(crate) fn stop(&self, why: Stop) {
        self.0.send_if_modified(|current| {
            let stronger = current.is_none_or(|c| c < why);
            if stronger {
                *current = Some(why);
            }
            stronger
        });
    }
}

/// What an attempt listens to.
#[derive(Debug, Clone)]
pub(crate) struct StopSignal(watch::Receiver<Option<Stop>>);

impl StopSignal {
    /// Why the attempt is to stop, if it is.
    pub(crate) fn reason(&self) -> Option<Stop> {
        *self.0.borrow()
    }

    /// Waits for a reason that is stronger than `known`. Cancel safe.
    pub(crate) async fn stronger_than(&mut self, known: Option<Stop>) -> Stop {
        loop {
            if let Some(why) = *self.0.borrow_and_update()
                && known.is_none_or(|k| k < why)
            {
                return why;
            }
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits for any reason to stop. Cancel safe.
    pub(crate) async fn stopped(&mut self) -> Stop {
        self.stronger_than(None).await
    }

    /// Waits for a reason that leaves nothing to report. Cancel safe.
    pub(crate) async fn silenced(&mut self) -> Stop {
        self.stronger_than(Some(Stop::Cancelled)).await
    }
}

/// The attempts in hand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    running: Arc<Mutex<HashMap<RunningAttempt, Stopper>>>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, HashMap<RunningAttempt, Stopper>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an attempt in hand, until the registration is dropped.
    pub(crate) fn register(&self, attempt: RunningAttempt) -> Registration {
        let sender = watch::Sender::new(None);
        let signal = StopSignal(sender.subscribe());
        let stopper = Stopper(sender);
        self.lock().insert(attempt.clone(), stopper.clone());
        Registration { registry: self.clone(), attempt, stopper, signal }
    }

    /// All attempts in hand.
    pub(crate) fn list(&self) -> Vec<RunningAttempt> {
        self.lock().keys().cloned().collect()
    }

    /// Does what the API asks; says whether there was such an attempt.
    pub(crate) fn stop(&self, wish: &StopAttempt) -> bool {
        let why = match wish.reason {
            StopReason::Cancelled => Stop::Cancelled,
            StopReason::Superseded => Stop::Superseded,
        };
        let mut found = false;
        for (running, stopper) in self.lock().iter() {
            if running.job_id == wish.job_id && wish.attempt.is_none_or(|a| a == running.attempt) {
                stopper.stop(why);
                found = true;
            }
        }
        found
    }

    /// Tells every attempt to stop.
    pub(crate) fn stop_all(&self, why: Stop) {
        for stopper in self.lock().values() {
            stopper.stop(why);
        }
    }
}

/// An attempt in hand.
pub(crate) struct Registration {
    registry: Registry,
    attempt: RunningAttempt,
    /// Tells it to stop.
    pub(crate) stopper: Stopper,
    /// Hears that it is to stop.
    pub(crate) signal: StopSignal,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.attempt);
    }
}

#[cfg(test)]
mod tests {
    use orcaops_common::domain::id::{AttemptId, JobId};

    use super::*;

    fn attempt(delivery: u32) -> RunningAttempt {
        RunningAttempt {
            job_id: JobId::new("job").expect("valid"),
            attempt: AttemptId { dispatch: 1, delivery },
        }
    }

    #[tokio::test]
    async fn a_stronger_reason_replaces_a_weaker_one_and_not_the_reverse() {
        let registry = Registry::default();
        let mut registration = registry.register(attempt(1));
        registration.stopper.stop(Stop::Cancelled);
        registration.stopper.stop(Stop::Drain);
        assert_eq!(registration.signal.stopped().await, Stop::Cancelled);
        registration.stopper.stop(Stop::LeaseLost);
        assert_eq!(registration.signal.silenced().await, Stop::LeaseLost);
    }

    #[tokio::test]
    async fn only_the_attempt_that_is_named_stops() {
        let registry = Registry::default();
        let first = registry.register(attempt(1));
        let second = registry.register(attempt(2));
        let wish = StopAttempt {
            job_id: attempt(1).job_id,
            attempt: Some(attempt(1).attempt),
            reason: StopReason::Superseded,
        };
        assert!(registry.stop(&wish));
        assert_eq!(first.signal.reason(), Some(Stop::Superseded));
        assert_eq!(second.signal.reason(), None);
        drop(first);
        assert!(!registry.stop(&wish));
        drop(second);
    }
}
