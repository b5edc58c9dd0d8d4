//! Tells the API what this worker runs, and hears what it should no longer run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use orcaops_common::bus::Address;
use orcaops_common::domain::control::{ApiCall, Heartbeat, HeartbeatAnswer};
use tokio::time::{MissedTickBehavior, interval};

use crate::attempt::Context;

/// How often.
const INTERVAL: Duration = Duration::from_secs(3);

/// Beats, for ever.
pub(crate) async fn beat(context: Arc<Context>, draining: Arc<AtomicBool>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent = false;
    loop {
        ticks.tick().await;
        match once(&context, draining.load(Ordering::Relaxed)).await {
            Ok(answer) => {
                silent = false;
                for wish in answer.stop {
                    tracing::info!(job.id = %wish.job_id, reason = ?wish.reason, "told to stop an attempt");
                    context.registry.stop(&wish);
                }
            }
            // Said once: every silence begins with its first beat.
            Err(reason) if !silent => {
                silent = true;
                tracing::warn!(reason, "nobody hears this worker's heartbeat");
            }
            Err(_) => {}
        }
    }
}

/// One beat.
pub(crate) async fn once(context: &Context, draining: bool) -> Result<HeartbeatAnswer, String> {
    let config = &context.config;
    let call = ApiCall::Heartbeat(Heartbeat {
        worker: config.name.clone(),
        pool: config.pool.clone(),
        slots: u32::try_from(config.slots).unwrap_or(u32::MAX),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        draining,
        attempts: context.registry.list(),
    });
    let question = Bytes::from(serde_json::to_vec(&call).map_err(|e| e.to_string())?);
    let answer = context.bus.request(&Address::Api, question, INTERVAL).await.map_err(|e| e.to_string())?;
    serde_json::from_slice(&answer).map_err(|e| e.to_string())
}
