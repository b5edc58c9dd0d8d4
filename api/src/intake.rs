//! Brings submissions that come at the same time into the store with one commit.
//!
//! While one commit is under way the next ones gather, so a single submission waits for nothing and many share
//! the price of being durable.

use std::sync::Arc;

use orcaops_common::store::{NewRun, Store, StoreError, Submission};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How many submissions may wait for their commit; more have to wait for a place.
const WAITING: usize = 1024;
/// The most submissions in one commit.
const BATCH: usize = 64;

struct Waiting {
    run: NewRun,
    /// `None` when the store has to be asked about this one alone.
    answer: oneshot::Sender<Option<Submission>>,
}

/// Where submissions come in.
#[derive(Clone)]
pub(crate) struct Intake {
    store: Arc<dyn Store>,
    door: mpsc::Sender<Waiting>,
}

/// Takes submissions to the store.
#[derive(Clone)]
pub(crate) struct IntakeTask {
    store: Arc<dyn Store>,
    waiting: Arc<Mutex<mpsc::Receiver<Waiting>>>,
}

/// The two ends of the submissions' way.
pub(crate) fn intake(store: Arc<dyn Store>) -> (Intake, IntakeTask) {
    let (door, waiting) = mpsc::channel(WAITING);
    (Intake { store: Arc::clone(&store), door }, IntakeTask { store, waiting: Arc::new(Mutex::new(waiting)) })
}

impl Intake {
    /// Accepts a job durably, together with whatever else is coming in. Means what [`Store::submit`] means.
    pub(crate) async fn submit(&self, run: &NewRun) -> Result<Submission, StoreError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { run: run.clone(), answer };
        if self.door.send(waiting).await.is_ok()
            && let Ok(Some(submission)) = answered.await
        {
            return Ok(submission);
        }
        self.store.submit(run).await
    }
}

impl IntakeTask {
    /// Takes submissions to the store until `stop`. Those that wait then go there by themselves.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut waiting = self.waiting.lock().await;
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                count = waiting.recv_many(&mut batch, BATCH) => if count == 0 { return },
            }
            let (runs, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|w| (w.run, w.answer)).unzip();
            // A batch that fails, and a run whose id is taken, are looked at one by one.
            let new = self.store.submit_new(&runs).await.unwrap_or_else(|_| vec![false; runs.len()]);
            for (answer, new) in answers.into_iter().zip(new) {
                // Who waited may have gone away; the run is accepted all the same.
                let _ = answer.send(new.then_some(Submission::Created));
            }
        }
    }
}
