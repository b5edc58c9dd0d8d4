//! Notes in the store, many at a time, which runs reached the bus, so that a submission costs one commit.

use std::sync::Arc;
use std::time::Duration;

use orcaops_common::domain::id::JobId;
use orcaops_common::store::Store;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::trouble::Trouble;

/// How many notes may wait. One that finds no room is dropped: the scheduler publishes that run again, and the
/// bus knows the message already.
const WAITING: usize = 4096;
/// The most notes in one commit.
const BATCH: usize = 200;
/// How long the first note of a batch waits for others.
const GATHER: Duration = Duration::from_millis(20);

/// Where to note that a dispatch of a job is on the bus.
#[derive(Clone)]
pub(crate) struct Published(mpsc::Sender<(JobId, u32)>);

impl Published {
    /// Notes it soon.
    pub(crate) fn note(&self, job: JobId, dispatch: u32) {
        if self.0.try_send((job, dispatch)).is_err() {
            tracing::debug!("no room for a publication's note; the scheduler will publish the run again");
        }
    }
}

/// Writes the notes.
#[derive(Clone)]
pub(crate) struct Batcher {
    store: Arc<dyn Store>,
    notes: Arc<Mutex<mpsc::Receiver<(JobId, u32)>>>,
}

/// The two ends of the notes' way.
pub(crate) fn published(store: Arc<dyn Store>) -> (Published, Batcher) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Published(sender), Batcher { store, notes: Arc::new(Mutex::new(receiver)) })
}

impl Batcher {
    /// Writes notes until `stop`, then those that are left.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut notes = self.notes.lock().await;
        let mut trouble = Trouble::new("noting publications");
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            tokio::select! {
                biased;
                count = notes.recv_many(&mut batch, BATCH) => if count == 0 { return },
                () = stop.cancelled() => return,
            }
            let deadline = tokio::time::Instant::now() + GATHER;
            while batch.len() < BATCH && !stop.is_cancelled() {
                match tokio::time::timeout_at(deadline, notes.recv()).await {
                    Ok(Some(note)) => batch.push(note),
                    Ok(None) | Err(_) => break,
                }
            }
            while let Err(error) = self.store.published(&batch).await {
                if !error.is_transient() {
                    tracing::error!(error = crate::error::chain(&error), "publications could not be noted");
                    break;
                }
                if !trouble.wait(&error, &stop).await {
                    return;
                }
            }
            trouble.over();
        }
    }
}
