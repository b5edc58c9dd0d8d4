//! Jobs that mean harm: what each tries, in a real container, and that it does not get further.
//!
//! `docs/security.md` names each of these, with what holds and what does not.

#[path = "hostile/artifacts.rs"]
mod artifacts;
#[path = "hostile/init.rs"]
mod init;
#[path = "hostile/kernel.rs"]
mod kernel;
#[path = "hostile/limits.rs"]
mod limits;
#[path = "hostile/neighbours.rs"]
mod neighbours;
#[path = "hostile/probe.rs"]
mod probe;

use anyhow::{Result, ensure};
use orcaops_tests::laptop::Laptop;
use orcaops_tests::table::{self, Row, job};
use serde_json::json;

/// Runs the rows beside a job that means no harm, and sees that it, the server and the next job are none the worse.
async fn all_hold(rows: Vec<Row>) -> Result<()> {
    let laptop = Laptop::new().await?;
    let mut dev = laptop.dev("4").await?;
    let waits = "trap 'echo unharmed; exit 0' TERM; while :; do sleep 0.2; done";
    let neighbour = job(&json!([{ "command": waits }]), &json!({ "job_id": "neighbour" }));
    laptop.client.submit(&neighbour).await?;
    laptop.client.running("neighbour").await?;
    table::run(&laptop.client, rows).await?;
    ensure!(dev.is_running(), "the server has ended: {}", dev.log());
    let record = laptop.client.record("neighbour").await?;
    ensure!(record["status"] == "running", "the neighbour was harmed: {record:#}");
    laptop.client.cancel("neighbour").await?;
    let record = laptop.client.ended("neighbour").await?;
    ensure!(record["steps"][0]["stdout"] == "unharmed\n", "{record:#}");
    let next = laptop.client.run(&job(&json!([{ "command": "echo next" }]), &json!({}))).await?;
    ensure!(next["status"] == "success", "{next:#}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_uses_more_than_its_limits() -> Result<()> {
    all_hold(limits::rows()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_gets_at_its_init() -> Result<()> {
    all_hold(init::rows()?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_gets_rights_that_it_was_not_given() -> Result<()> {
    all_hold(kernel::rows()?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_gets_out_by_its_artifacts() -> Result<()> {
    all_hold(artifacts::rows()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_limits_bind_every_job() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev_with(&["--slots", "3", "--max-memory", "64m", "--max-pids", "50"]).await?;
    let limits = "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null
        cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true";
    let job = |resources: serde_json::Value| {
        job(&json!([{ "command": limits }]), &json!({ "sandbox": { "resources": resources } }))
    };
    let rows = vec![
        Row::new("a job that names no limits has the operator's", job(json!({})))
            .succeeds()
            .prints(&["50\n67108864\n"]),
        Row::new("a job may have less", job(json!({ "memory": "16m", "pids": 20 })))
            .succeeds()
            .prints(&["20\n16777216\n"]),
        Row::new("a job may not have more", job(json!({ "memory": "1t", "pids": 4_000_000 })))
            .ends("failed", "policy")
            .takes(1)
            .says("/sandbox/resources/memory is 1099511627776 bytes, and this worker's operator allows 67108864")
            .says("/sandbox/resources/pids is 4000000, and this worker's operator allows 50"),
    ];
    table::run(&laptop.client, rows).await?;
    laptop.containers.all_gone().await
}
