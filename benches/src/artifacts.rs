//! An artifact, from the end of the step that made it to its place in the API's folder.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use orcaops_benches::ratio::{Comparison, Goal};
use orcaops_tests::client::shell;
use orcaops_tests::fleet::Fleet;
use orcaops_tests::wait::until;
use serde_json::json;

use crate::docker;

/// The artifact's size in bytes.
const BYTES: u64 = 256 << 20;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes of an artifact a second.
pub(crate) async fn rate(fleet: &Fleet, rounds: usize) -> Result<Comparison> {
    let command = format!("head -c {BYTES} /dev/urandom > /tmp/file");
    let mut spec = shell(&[&command]);
    spec["artifacts"] = json!(["/tmp/file"]);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let rate = |seconds: f64| BYTES as f64 / 1e6 / seconds;
    for _ in 0..rounds {
        let job = fleet.client.submit(&spec).await?;
        let folder = fleet.artifacts().join(&job);
        // It appears only when it is whole.
        until("the artifact is in the API's folder", PATIENCE, async || folder.join("file").is_file())
            .await?;
        let there = Utc::now();
        let record = fleet.client.ended(&job).await?;
        ensure!(record["artifacts"][0]["size_bytes"] == BYTES, "{record:#}");
        let made: DateTime<Utc> = record["steps"][0]["timestamp"].as_str().context("no step")?.parse()?;
        ours.push(rate((there - made).to_std()?.as_secs_f64()));
        std::fs::remove_file(folder.join("file"))?;

        theirs.push(rate(docker::copied(&command, "/tmp/file").await?.as_secs_f64()));
    }
    Ok(Comparison::of("an artifact to the API", "docker cp", "MB/s", Goal::AtLeast(0.5), &ours, &theirs))
}
