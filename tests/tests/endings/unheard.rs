//! Cancellations that the job's worker can't hear: the wish is kept, and the job ends by it, once.

use anyhow::{Result, ensure};
use orcaops_tests::client::{PATIENCE, shell};
use orcaops_tests::fleet::Fleet;
use serde_json::{Value, json};

async fn is_cancelled_once(fleet: &Fleet, job: &str) -> Result<()> {
    let record = fleet.client.ended(job).await?;
    let ends = (&record["status"], &record["end_cause"]);
    ensure!(ends == (&json!("cancelled"), &json!("cancelled")), "{record:#}");
    fleet.containers.all_gone().await?;
    let later: Value = fleet.client.record(job).await?;
    for field in ["status", "end_cause", "finished_at", "attempt"] {
        ensure!(later[field] == record[field], "{field} changed after the end: {record:#} {later:#}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_bus_is_away() -> Result<()> {
    let mut fleet = Fleet::start().await?;
    let _worker = fleet.worker("worker", 1)?;
    let job = fleet.client.submit(&shell(&["sleep 600"])).await?;
    fleet.client.running(&job).await?;
    fleet.nats.stop();
    assert_eq!(fleet.client.cancel(&job).await?["status"], "running", "the answer needs no bus");
    fleet.nats.resume().await?;
    is_cancelled_once(&fleet, &job).await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_its_worker_is_frozen() -> Result<()> {
    let fleet = Fleet::start().await?;
    let frozen = fleet.worker("frozen", 1)?;
    let job = fleet.client.submit(&shell(&["sleep 600"])).await?;
    fleet.client.running(&job).await?;
    frozen.signal("STOP")?;
    assert_eq!(fleet.client.cancel(&job).await?["status"], "running");
    // Another one hears it when the job comes to it.
    let mut other = fleet.worker("other", 1)?;
    fleet.client.ended(&job).await?;
    frozen.signal("CONT")?;
    // It may be making the container still that it will not need. Told to end, it removes that first.
    other.signal("TERM")?;
    let status = other.ended(PATIENCE).await?;
    ensure!(status.success(), "{status}");
    is_cancelled_once(&fleet, &job).await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_api_is_away_and_the_job_ends() -> Result<()> {
    let mut fleet = Fleet::start().await?;
    let _worker = fleet.worker("worker", 1)?;
    let job = fleet.client.submit(&shell(&["sleep 2; echo done"])).await?;
    fleet.client.running(&job).await?;
    fleet.client.cancel(&job).await?;
    // Whether the worker heard it first or its heartbeat tells it: the recorder is away when the job ends.
    fleet.api.kill()?;
    fleet.restart_api().await?;
    let record = fleet.client.ended(&job).await?;
    let status = record["status"].as_str().unwrap_or_default();
    ensure!(["cancelled", "success"].contains(&status), "{record:#}");
    fleet.containers.all_gone().await?;
    assert_eq!(fleet.client.record(&job).await?["status"], status);
    assert_eq!(fleet.client.cancel(&job).await?["status"], status, "it had ended");
    Ok(())
}
