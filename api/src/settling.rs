//! Settles what dead workers left open: runs that a user cancelled, and what became of containers.
//!
//! A cancelled run whose worker is dead need not wait until another worker gets its job, only to hear that it is
//! cancelled. And a worker says when it has removed a container, or kept it. One that dies in between leaves a record that
//! has ended and does not know. Workers are asked which containers there are; what nobody has is gone.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use orcaops_common::bus::Bus;
use orcaops_common::domain::event::{EVENT_VERSION, Event, EventBody};
use orcaops_common::domain::placement::CleanupPolicy;
use orcaops_common::domain::run::CleanupStatus;
use orcaops_common::store::{Store, StoreError, Unsettled};
use tokio_util::sync::CancellationToken;

use crate::containers::{self, Found};
use crate::leadership::Leadership;
use crate::signals::Signals;
use crate::trouble::Trouble;

/// The lease that makes one replica settle.
const LEASE: &str = "settling";
/// How often the store is asked for runs to settle, while that is often enough.
const PERIOD: Duration = Duration::from_secs(20);
/// The shortest pause between two questions.
const SHORTEST: Duration = Duration::from_millis(100);
/// The most runs settled at once.
const BATCH: u32 = 200;

/// Settles records of one replica; it works while it holds the lease.
#[derive(Clone)]
pub(crate) struct Settling {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) signals: Signals,
    pub(crate) replica: String,
    /// How long after a run's end its worker may still be about to speak.
    pub(crate) after: Duration,
}

impl Settling {
    /// Settles until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut leadership = Leadership::new(Arc::clone(&self.store), LEASE, &self.replica);
        let period = (self.after / 4).clamp(SHORTEST, PERIOD);
        let mut trouble = Trouble::new("settling what became of containers");
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(period) => {}
            }
            match self.round(&mut leadership).await {
                Ok(()) => trouble.over(),
                Err(error) => {
                    if !trouble.wait(&error, &stop).await {
                        break;
                    }
                }
            }
        }
        leadership.give_up().await;
    }

    async fn round(&self, leadership: &mut Leadership) -> Result<(), StoreError> {
        if !leadership.leading().await? {
            return Ok(());
        }
        for job in self.store.end_cancelled(self.after, BATCH).await? {
            tracing::info!(job.id = %job, "ended a cancelled run whose worker is dead");
            self.signals.run_may_have_ended(&job);
        }
        let runs = self.store.unsettled(self.after, BATCH).await?;
        if runs.is_empty() {
            return Ok(());
        }
        let found = containers::find(&*self.store, &self.bus, true, None).await?;
        let events: Vec<Event> =
            runs.iter().filter_map(|run| Some(event(run, became_of(run, &found)?))).collect();
        self.store.record(&events, true).await?;
        for event in &events {
            tracing::info!(job.id = %event.job_id, "settled what became of a container");
            self.signals.record_changed_late(&event.job_id);
        }
        Ok(())
    }
}

/// What became of a run's container, as far as can be known now.
fn became_of(run: &Unsettled, found: &Found) -> Option<CleanupStatus> {
    let is_there = found.containers.iter().any(|container| container.id == run.sandbox_id);
    if is_there || found.left_out > 0 || found.silent.contains(&run.worker) {
        // Whoever has it will speak, or the sweeper will.
        return None;
    }
    let may_be_kept = run.policy != CleanupPolicy::AlwaysRemove;
    if may_be_kept && !found.alive.contains(&run.worker) {
        // Its host can't be asked, and nothing there removes it by itself.
        return Some(CleanupStatus::Leaked);
    }
    // A worker that died took it along: init ends with it, and the engine removes what has ended.
    Some(CleanupStatus::Destroyed)
}

fn event(run: &Unsettled, status: CleanupStatus) -> Event {
    let at = Utc::now();
    Event {
        v: EVENT_VERSION,
        job_id: run.job_id.clone(),
        attempt: run.attempt,
        number: run.number,
        // Above all that the attempt itself has said.
        seq: u64::try_from(at.timestamp_micros()).unwrap_or(u64::MAX),
        at,
        worker: run.worker.clone(),
        body: EventBody::Cleaned { status },
    }
}

#[cfg(test)]
mod tests {
    use orcaops_common::domain::container::Container;
    use orcaops_common::domain::id::{AttemptId, JobId, WorkerName};

    use super::*;

    fn worker(name: &str) -> WorkerName {
        WorkerName::new(name).unwrap()
    }

    fn run(policy: CleanupPolicy) -> Unsettled {
        Unsettled {
            job_id: JobId::new("job").unwrap(),
            attempt: AttemptId { dispatch: 1, delivery: 1 },
            number: 1,
            worker: worker("own"),
            sandbox_id: "c1".to_owned(),
            policy,
        }
    }

    fn found(containers: &[&str], silent: &[&str], alive: &[&str]) -> Found {
        let container = |id: &&str| Container {
            id: (*id).to_owned(),
            names: Vec::new(),
            image: String::new(),
            status: String::new(),
            worker: worker("own"),
            job_id: None,
            attempt: None,
            created_at: None,
            kept_until: None,
        };
        Found {
            containers: containers.iter().map(container).collect(),
            silent: silent.iter().map(|name| worker(name)).collect(),
            left_out: 0,
            alive: alive.iter().map(|name| worker(name)).collect(),
        }
    }

    #[test]
    fn a_container_that_is_there_or_may_be_is_nobodys_to_settle() {
        let run = run(CleanupPolicy::AlwaysRemove);
        assert_eq!(became_of(&run, &found(&["c1"], &[], &["own"])), None);
        assert_eq!(became_of(&run, &found(&[], &["own"], &["own"])), None);
        let cut = Found { left_out: 1, ..found(&[], &[], &["own"]) };
        assert_eq!(became_of(&run, &cut), None);
    }

    #[test]
    fn a_container_that_its_worker_does_not_have_is_gone() {
        for policy in CleanupPolicy::ALL {
            let became = became_of(&run(policy), &found(&["other"], &[], &["own"]));
            assert_eq!(became, Some(CleanupStatus::Destroyed), "{policy:?}");
        }
    }

    #[test]
    fn a_dead_workers_container_is_gone_unless_its_job_may_have_wanted_it_kept() {
        let none = found(&[], &["far"], &["far"]);
        assert_eq!(became_of(&run(CleanupPolicy::AlwaysRemove), &none), Some(CleanupStatus::Destroyed));
        assert_eq!(became_of(&run(CleanupPolicy::NeverRemove), &none), Some(CleanupStatus::Leaked));
    }
}
