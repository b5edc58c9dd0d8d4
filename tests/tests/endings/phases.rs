//! A cancellation in each phase of a job's life: answered at once, final once, and nothing is left.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use orcaops_tests::client::shell;
use orcaops_tests::engine_proxy::{EngineProxy, Fault};
use orcaops_tests::laptop::Laptop;
use orcaops_tests::process::Process;
use orcaops_tests::wait::until;
use serde_json::{Value, json};

/// A server whose engine is behind a proxy, with a job run on it already, so that what is made once is there.
async fn proxied() -> Result<(Laptop, EngineProxy, Process)> {
    let laptop = Laptop::new().await?;
    let proxy = EngineProxy::start().await?;
    let env = [&laptop.env()[..], &[("DOCKER_HOST", proxy.address())]].concat();
    let dev = Process::start(&["dev", "--slots", "2"], &env, &laptop.home.path().join("dev.log"))?;
    laptop.client.ready().await?;
    let record = laptop.client.run(&shell(&["true"])).await?;
    ensure!(record["status"] == "success", "{record:#}");
    Ok((laptop, proxy, dev))
}

async fn holds_one(proxy: &EngineProxy) -> Result<()> {
    until("a request to the engine waits", Duration::from_secs(60), async || proxy.held() > 0).await
}

fn is_cancelled(record: &Value) -> Result<()> {
    let ends = (&record["status"], &record["end_cause"]);
    ensure!(ends == (&json!("cancelled"), &json!("cancelled")), "{record:#}");
    Ok(())
}

/// Cancels a job while its engine does not answer that request; the record at its end.
async fn cancelled_while_held(method: &str, part: &str) -> Result<()> {
    let (laptop, proxy, _dev) = proxied().await?;
    proxy.fail(method, part, Fault::Late);
    let job = laptop.client.submit(&shell(&["echo never"])).await?;
    holds_one(&proxy).await?;
    // The worker may have said already that the job runs, or not yet.
    let answer = laptop.client.cancel(&job).await?;
    ensure!(answer["status"] == "running" || answer["status"] == "cancelled", "{answer}");
    // Sooner than any answer that the engine could be waited for.
    let mut record = Value::Null;
    until("the cancelled job ends, whatever its engine does", Duration::from_secs(30), async || {
        record = laptop.client.record(&job).await.unwrap_or_default();
        record["finished_at"].is_string()
    })
    .await?;
    is_cancelled(&record)?;
    assert_eq!(record["steps"], json!([]));
    proxy.heal();
    laptop.containers.all_gone().await?;
    let settled = |r: &Value| r["cleanup_status"] == "destroyed" || r["cleanup_status"].is_null();
    is_cancelled(&laptop.client.record_that(&job, "is cleaned up", settled).await?)?;
    // The slot is free again.
    let next = laptop.client.run(&shell(&["echo next"])).await?;
    ensure!(next["status"] == "success", "{next:#}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_its_container_is_made() -> Result<()> {
    cancelled_while_held("POST", "/containers/create").await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_its_container_starts() -> Result<()> {
    cancelled_while_held("POST", "/start").await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_its_container_is_removed() -> Result<()> {
    let (laptop, proxy, _dev) = proxied().await?;
    proxy.fail("DELETE", "/containers/", Fault::Late);
    let job = laptop.client.submit(&shell(&["echo done"])).await?;
    let record = laptop.client.ended(&job).await?;
    assert_eq!(record["status"], "success", "its result does not wait for the removal");
    holds_one(&proxy).await?;
    assert_eq!(laptop.client.cancel(&job).await?["status"], "success", "it had ended before");
    proxy.heal();
    let record =
        laptop.client.record_that(&job, "is cleaned up", |r| r["cleanup_status"] == "destroyed").await?;
    assert_eq!(record["status"], "success");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_its_image_is_pulled() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    // A registry that takes connections and never answers.
    let registry = TcpListener::bind("127.0.0.1:0")?;
    let mut spec = shell(&["true"]);
    spec["sandbox"]["image"] = json!(format!("127.0.0.1:{}/silent:1", registry.local_addr()?.port()));
    let job = laptop.client.submit(&spec).await?;
    laptop.client.each_log_event(&job, |_, data| Ok(data.contains("pulling image"))).await?;
    laptop.client.cancel(&job).await?;
    let record = laptop.client.ended(&job).await?;
    is_cancelled(&record)?;
    assert_eq!((&record["steps"], &record["sandbox_id"]), (&json!([]), &Value::Null));
    let next = laptop.client.run(&shell(&["echo next"])).await?;
    ensure!(next["status"] == "success", "{next:#}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_its_artifacts_are_collected() -> Result<()> {
    const ENOUGH: u64 = 4 * 1024 * 1024;
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let mut spec = shell(&["truncate -s 8G /tmp/large"]);
    spec["artifacts"] = json!(["/tmp/large"]);
    let job = laptop.client.submit(&spec).await?;
    let home = laptop.home.path();
    until("the file is on its way", Duration::from_secs(60), async || bytes_below(home) > ENOUGH).await?;
    laptop.client.cancel(&job).await?;
    let record = laptop.client.ended(&job).await?;
    is_cancelled(&record)?;
    assert_eq!(record["steps"][0]["exit_code"], 0, "{record:#}");
    assert_eq!(record["artifacts"], json!([]));
    laptop.containers.all_gone().await?;
    until("what had come of the file is gone", Duration::from_secs(30), async || bytes_below(home) < ENOUGH)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_waits() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let first = laptop.client.submit(&shell(&["sleep 600"])).await?;
    laptop.client.running(&first).await?;
    let waiting = laptop.client.submit(&shell(&["echo never"])).await?;
    let answer = laptop.client.cancel(&waiting).await?;
    assert_eq!(answer["status"], "cancelled", "at once");
    let last = laptop.client.submit(&shell(&["echo last"])).await?;
    laptop.client.cancel(&first).await?;
    is_cancelled(&laptop.client.ended(&first).await?)?;
    // The cancelled one lay on the bus before this one, and was passed over.
    assert_eq!(laptop.client.ended(&last).await?["status"], "success");
    let record = laptop.client.record(&waiting).await?;
    is_cancelled(&record)?;
    assert_eq!((&record["attempt"], &record["steps"]), (&json!(0), &json!([])));
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_waits_for_its_next_attempt() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let mut spec = shell(&["exit 1"]);
    spec["retry"] = json!({ "on": ["failure"], "max_attempts": 3, "backoff": 3600 });
    let job = laptop.client.submit(&spec).await?;
    laptop.client.record_that(&job, "waits", |r| r["status"] == "queued" && r["attempt"] == 1).await?;
    assert_eq!(laptop.client.cancel(&job).await?["status"], "cancelled");
    is_cancelled(&laptop.client.record(&job).await?)?;
    laptop.containers.all_gone().await
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => bytes_below(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}
