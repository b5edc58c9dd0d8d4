//! Holds on to a job's message, and says when the hold may be lost.

use std::sync::Arc;
use std::time::Duration;

use orcaops_common::bus::Lease;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::registry::{Stop, Stopper};

/// How often an acknowledgement is tried. One that is lost only costs a claim that is refused.
const ACK_TRIES: u32 = 3;

/// Extends the lease every third of it, for ever. When no extension has succeeded for two thirds, the job is
/// about to go to another worker: the attempt is told to stop while its container can still be ended in time.
pub(crate) async fn keep(lease: Arc<dyn Lease>, length: Duration, stopper: Stopper) {
    let mut ticks = interval(length / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once; the delivery itself began the lease.
    ticks.tick().await;
    let mut held_since = Instant::now();
    loop {
        ticks.tick().await;
        let asked = Instant::now();
        // A process that was frozen must not extend a hold that others may have taken over.
        if asked.duration_since(held_since) >= length {
            tracing::warn!("this process stood still for longer than a lease; its attempt ends");
            stopper.stop(Stop::LeaseLost);
            return;
        }
        match timeout(length / 3, lease.extend()).await {
            Ok(Ok(())) => held_since = asked,
            Ok(Err(e)) => tracing::warn!(error = %e, "cannot extend the lease of a job"),
            Err(_) => tracing::warn!("no answer to extending the lease of a job"),
        }
        if held_since.elapsed() >= length * 2 / 3 {
            stopper.stop(Stop::LeaseLost);
            return;
        }
    }
}

/// Gives the message up for good.
pub(crate) async fn acknowledge(lease: &dyn Lease) {
    for _ in 0..ACK_TRIES {
        match lease.ack().await {
            Ok(()) => return,
            Err(e) => tracing::warn!(error = %e, "cannot acknowledge a job"),
        }
    }
}
