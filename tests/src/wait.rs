//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const PAUSE: Duration = Duration::from_millis(25);

/// Asks again and again until the answer is yes.
pub async fn until(what: &str, within: Duration, mut condition: impl AsyncFnMut() -> bool) -> Result<()> {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(PAUSE);
    loop {
        ticks.tick().await;
        if condition().await {
            return Ok(());
        }
        if started.elapsed() > within {
            bail!("waited {within:?} in vain until {what}");
        }
    }
}
