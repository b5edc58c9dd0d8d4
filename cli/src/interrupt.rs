//! What Ctrl-C does to a job that is being watched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use orcaops_common::domain::id::JobId;
use tokio_util::task::AbortOnDropHandle;

use crate::client::{Client, Patience};
use crate::exit;
use crate::failure::Failure;
use crate::output::words;
use crate::shutdown::Shutdown;

/// While it lives, the first signal cancels the job and the second one leaves at once. Once the job has ended,
/// the first one does.
pub(crate) struct Interrupt {
    ended: Arc<AtomicBool>,
    _listener: AbortOnDropHandle<()>,
}

impl Interrupt {
    /// From now on.
    pub(crate) fn arm(client: Client, job: JobId) -> Result<Self, Failure> {
        let signals = Shutdown::new()?;
        let ended = Arc::new(AtomicBool::new(false));
        let listener = tokio::spawn(listen(signals, client, job, Arc::clone(&ended)));
        Ok(Self { ended, _listener: AbortOnDropHandle::new(listener) })
    }

    /// The job has ended: there is nothing left to cancel.
    pub(crate) fn job_has_ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

async fn listen(mut signals: Shutdown, client: Client, job: JobId, ended: Arc<AtomicBool>) {
    signals.requested().await;
    if ended.load(Ordering::Relaxed) {
        leave();
    }
    words::say(&format!("cancelling job {job}; press Ctrl-C again to leave at once"));
    let cancelling = async {
        match cancel(&client, &job).await {
            Ok(()) => tracing::debug!("the job is being cancelled"),
            Err(error) => words::say(&format!("cannot cancel the job: {error}")),
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = cancelling => {}
        _ = signals.requested() => leave(),
    }
}

fn leave() -> ! {
    std::process::exit(i32::from(exit::CANCELLED))
}

/// A signal may come before the job is submitted: then it is not found for a moment.
async fn cancel(client: &Client, job: &JobId) -> Result<(), crate::client::ClientError> {
    let mut patience = Patience::long();
    loop {
        match client.cancel(job.as_str()).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_not_found() => tokio::time::sleep(Patience::FIRST_PAUSE).await,
            Err(error) => patience.failed(error).await?,
        }
    }
}
