//! Output, from the container to a client.

use std::time::Instant;

use anyhow::{Result, ensure};
use orcaops_benches::ratio::{Comparison, Goal};
use orcaops_tests::client::shell;
use orcaops_tests::fleet::Fleet;

use crate::docker;

/// How much a job prints, in bytes: less than what a log keeps.
const BYTES: u64 = 64 << 20;

/// Bytes of output a second.
pub(crate) async fn rate(fleet: &Fleet, rounds: usize) -> Result<Comparison> {
    let line = "a line of output, about as long as the lines of builds and tests usually are";
    let command = format!("yes '{line}' | head -c {BYTES}");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let rate = |bytes: u64, seconds: f64| bytes as f64 / 1e6 / seconds;
    for _ in 0..rounds {
        let started = Instant::now();
        let job = fleet.client.submit(&shell(&[&command])).await?;
        let data = fleet.client.log_bytes(&job).await?;
        let record = fleet.client.record(&job).await?;
        ensure!(data > BYTES, "only {data} bytes of events: {record:#}");
        ours.push(rate(BYTES, started.elapsed().as_secs_f64()));

        let (bytes, time) = docker::piped(&command).await?;
        theirs.push(rate(bytes, time.as_secs_f64()));
    }
    Ok(Comparison::of(
        "output to an SSE client",
        "docker run to a pipe",
        "MB/s",
        Goal::AtLeast(0.5),
        &ours,
        &theirs,
    ))
}
