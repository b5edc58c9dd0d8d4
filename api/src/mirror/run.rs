//! Finds runs to mirror, and tries again those that failed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use orcaops_common::bus::{Bus, BusError, LogPosition};
use orcaops_common::domain::id::{AttemptId, JobId};
use orcaops_common::layout::RunLayout;
use orcaops_common::store::{Store, StoreError};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::copy::{Copied, Copier, CopyError, LogWait};
use super::forget::Forget;
use super::live::{Live, Progress};
use crate::error::chain;
use crate::generation::Generation;
use crate::leadership::Leadership;
use crate::signals::Signals;
use crate::trouble::Trouble;

/// The lease that makes one replica the mirror.
const LEASE: &str = "mirror";
/// How often the store is asked for runs to mirror.
const PERIOD: Duration = Duration::from_secs(1);
/// How many runs are mirrored at once.
const AT_ONCE: usize = 4;
/// How many running runs are written at once.
const RUNNING_AT_ONCE: usize = 2;
/// The most runs taken at once from the store.
const BATCH: u32 = 200;
/// How long an ended run's log may be under way. A worker that died never ends its log.
const LOG_PATIENCE: Duration = Duration::from_secs(30);
/// How soon to look again for the end of a log.
const LOG_PAUSE: Duration = Duration::from_millis(500);

/// The mirror of one replica; it works while it holds the lease.
#[derive(Clone)]
pub(crate) struct Mirror {
    copier: Copier,
    generation: Generation,
    signals: Signals,
    replica: String,
}

/// A run that was tried and is not done.
struct Tried {
    first: Instant,
    again: Instant,
    log_read: Option<LogPosition>,
    trouble: Trouble,
}

impl Tried {
    fn is_due(&self) -> bool {
        self.again <= Instant::now()
    }
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum FindError {
    Store(#[from] StoreError),
    Bus(#[from] BusError),
}

type Outcome = (JobId, Result<Copied, CopyError>);
type LiveOutcome = (JobId, Progress, Instant, Result<bool, CopyError>);

/// What the mirror remembers between rounds.
struct Round {
    leadership: Leadership,
    found: VecDeque<(JobId, Option<AttemptId>)>,
    tried: HashMap<JobId, Tried>,
    running: JoinSet<Outcome>,
    /// Runs that are being written, running or ended: a run's files have one writer.
    in_hand: Vec<JobId>,
    forget: Forget,
    live: Live,
    live_running: JoinSet<LiveOutcome>,
}

impl Mirror {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        layout: RunLayout,
        generation: Generation,
        signals: Signals,
        replica: String,
    ) -> Self {
        Self { copier: Copier { store, bus, layout }, generation, signals, replica }
    }

    /// Mirrors until `stop`; what is under way then is tried again by the next mirror.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let store = Arc::clone(&self.copier.store);
        let mut round = Round {
            leadership: Leadership::new(store, LEASE, &self.replica),
            found: VecDeque::new(),
            tried: HashMap::new(),
            running: JoinSet::new(),
            in_hand: Vec::new(),
            forget: Forget::default(),
            live: Live::default(),
            live_running: JoinSet::new(),
        };
        let mut trouble = Trouble::new("looking for runs to mirror");
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.signals.to_mirror() => self.refresh_late_changes().await,
                _ = tick.tick() => round.forget.due(&self.copier.bus).await,
                Some(outcome) = round.running.join_next() => match outcome {
                    Ok((job, outcome)) => round.settle(job, outcome),
                    Err(error) => {
                        tracing::error!(error = chain(&error), "mirroring a run panicked");
                        // Which one is not known; a run tried twice at once does no harm.
                        round.in_hand.clear();
                    }
                },
                Some(outcome) = round.live_running.join_next() => match outcome {
                    Ok(outcome) => self.settle_live(&mut round, outcome),
                    Err(error) => {
                        tracing::error!(error = chain(&error), "writing a running run panicked");
                        round.in_hand.clear();
                    }
                },
            }
            match self.start_all(&mut round).await {
                Ok(()) => trouble.over(),
                Err(error) => {
                    if !trouble.wait(&error, &stop).await {
                        break;
                    }
                }
            }
        }
        round.running.shutdown().await;
        round.live_running.shutdown().await;
        round.leadership.give_up().await;
    }

    async fn start_all(&self, round: &mut Round) -> Result<(), FindError> {
        self.start_more(round).await?;
        self.start_live(round).await
    }

    async fn start_live(&self, round: &mut Round) -> Result<(), FindError> {
        if !round.leadership.leading().await? {
            return Ok(());
        }
        round.live.look(&self.copier.store).await?;
        while round.live_running.len() < RUNNING_AT_ONCE {
            let Some((job, progress)) = round.live.next() else { break };
            if round.in_hand.contains(&job) {
                continue;
            }
            let copier = self.copier.clone();
            round.in_hand.push(job.clone());
            round.live_running.spawn(async move {
                let began = Instant::now();
                let outcome = copier.copy_running(&job).await;
                (job, progress, began, outcome)
            });
        }
        Ok(())
    }

    fn settle_live(&self, round: &mut Round, (job, progress, began, outcome): LiveOutcome) {
        round.in_hand.retain(|other| *other != job);
        if matches!(outcome, Ok(false)) {
            // Should another replica have mirrored it meanwhile, what was written here is older than that.
            self.signals.record_changed_late(&job);
        }
        round.live.settle(job, progress, began, &outcome.map(drop));
    }

    async fn start_more(&self, round: &mut Round) -> Result<(), FindError> {
        if round.running.len() >= AT_ONCE || !round.leadership.leading().await? {
            return Ok(());
        }
        if round.found.is_empty() {
            let generation = self.generation.current().await?;
            round.found = self.copier.store.unmirrored(&generation, BATCH).await?.into();
        }
        while round.running.len() < AT_ONCE {
            let Some((job, attempt)) = round.found.pop_front() else { break };
            if round.in_hand.contains(&job) {
                continue;
            }
            let (due, log) = match round.tried.get(&job) {
                Some(tried) if tried.first.elapsed() >= LOG_PATIENCE => (tried.is_due(), LogWait::Over),
                Some(tried) => (tried.is_due(), LogWait::UntilItEnds { read: tried.log_read }),
                None => (true, LogWait::UntilItEnds { read: None }),
            };
            if due {
                let copier = self.copier.clone();
                round.in_hand.push(job.clone());
                round.running.spawn(async move {
                    let outcome = copier.copy(&job, attempt, log).await;
                    (job, outcome)
                });
            }
        }
        Ok(())
    }

    async fn refresh_late_changes(&self) {
        for job in self.signals.take_late_changes() {
            if let Err(error) = self.copier.refresh(&job).await {
                tracing::warn!(job.id = %job, error = chain(&error), "a mirrored record was not written again");
            }
        }
    }
}

impl Round {
    fn settle(&mut self, job: JobId, outcome: Result<Copied, CopyError>) {
        self.in_hand.retain(|other| *other != job);
        let now = Instant::now();
        let mut tried = self.tried.remove(&job).unwrap_or_else(|| Tried {
            first: now,
            again: now,
            log_read: None,
            trouble: Trouble::new("mirroring a run"),
        });
        match outcome {
            Ok(Copied::Done) => {
                tracing::debug!(job.id = %job, "mirrored");
                self.forget.later(job);
                return;
            }
            Ok(Copied::LogUnderWay(read)) => {
                tried.log_read = Some(read);
                tried.again = now + LOG_PAUSE;
            }
            Err(error) => {
                let _job = tracing::info_span!("mirror", job.id = %job).entered();
                tried.trouble.note(&error);
                tried.again = now + tried.trouble.pause();
            }
        }
        self.tried.insert(job, tried);
    }
}
