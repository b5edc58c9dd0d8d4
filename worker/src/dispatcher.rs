//! Takes jobs from the bus: never more than there are slots, so that nothing taken waits.

use std::sync::Arc;
use std::time::Duration;

use orcaops_common::bus::{BusError, Delivery, JobQueue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::{self, Context};

/// The pause before a bus that failed is asked again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Takes jobs until told to stop; their attempts go on in `attempts`.
pub(crate) async fn dispatch(context: Arc<Context>, attempts: TaskTracker, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(context.config.slots));
    let mut queue = None;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            taken = take(&context, &slots, &mut queue) => match taken {
                Ok(Some((slot, delivery))) => {
                    attempts.spawn(attempt::run(Arc::clone(&context), delivery, slot));
                }
                Ok(None) => return,
                Err(e) => {
                    tracing::warn!(error = %e, "cannot take jobs from the bus; trying again");
                    queue = None;
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(RETRY_PAUSE) => {}
                    }
                }
            },
        }
    }
}

/// A slot first, then a job for it. Cancel safe.
async fn take(
    context: &Context,
    slots: &Arc<Semaphore>,
    queue: &mut Option<Box<dyn JobQueue>>,
) -> Result<Option<(OwnedSemaphorePermit, Delivery)>, BusError> {
    let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return Ok(None) };
    let queue = match queue {
        Some(queue) => queue,
        none => none.insert(context.bus.jobs(&context.config.pool, context.config.lease).await?),
    };
    let delivery = queue.next().await?;
    Ok(Some((slot, delivery)))
}
