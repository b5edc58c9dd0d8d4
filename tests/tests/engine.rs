//! An engine that hangs or refuses, by way of a proxy before the real one.

use anyhow::{Context, Result, ensure};
use orcaops_tests::client::{PATIENCE, shell};
use orcaops_tests::engine_proxy::{EngineProxy, Fault};
use orcaops_tests::laptop::Laptop;
use orcaops_tests::process::Process;
use orcaops_tests::wait::until;
use serde_json::{Value, json};

/// A server whose worker reaches its engine through the proxy.
async fn dev(laptop: &Laptop, proxy: &EngineProxy) -> Result<Process> {
    let env = [&laptop.env()[..], &[("DOCKER_HOST", proxy.address())]].concat();
    let log = laptop.home.path().join("dev.log");
    let process = Process::start(&["dev", "--name", "behind-proxy"], &env, &log)?;
    laptop.client.ready().await.with_context(|| process.log())?;
    Ok(process)
}

/// Runs a job, so that all is there that a worker makes on its host for the first one.
async fn warm_up(laptop: &Laptop) -> Result<()> {
    let record = laptop.client.run(&shell(&["true"])).await?;
    ensure!(record["status"] == "success", "{record:#}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_can_be_cancelled_while_its_container_is_being_made_and_none_is_left() -> Result<()> {
    let (laptop, proxy) = (Laptop::new().await?, EngineProxy::start().await?);
    let mut dev = dev(&laptop, &proxy).await?;
    warm_up(&laptop).await?;

    proxy.fail("POST", "/containers/create", Fault::Held);
    let job = laptop.client.submit(&shell(&["true"])).await?;
    until("the engine is asked for a container", PATIENCE, async || proxy.held() == 1).await?;
    laptop.client.cancel(&job).await?;
    let record = laptop.client.ended(&job).await?;
    assert_eq!((&record["status"], proxy.held()), (&json!("cancelled"), 1), "{record:#}");
    // The engine makes it after all.
    proxy.heal();
    until("the engine was let go on", PATIENCE, async || proxy.held() == 0).await?;
    laptop.client.record_that(&job, "has no container", |r| r["cleanup_status"] == "destroyed").await?;
    // It is not made at once. A worker that is told to end first removes what was in the making.
    dev.signal("TERM")?;
    let status = dev.ended(PATIENCE).await?;
    ensure!(status.success(), "{status}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_can_be_cancelled_while_its_container_is_being_started() -> Result<()> {
    let (laptop, proxy) = (Laptop::new().await?, EngineProxy::start().await?);
    let _dev = dev(&laptop, &proxy).await?;
    proxy.fail("POST", "/start", Fault::Held);
    let job = laptop.client.submit(&shell(&["true"])).await?;
    until("the engine is asked to start it", PATIENCE, async || proxy.held() == 1).await?;
    laptop.client.cancel(&job).await?;
    let record = laptop.client.ended(&job).await?;
    assert_eq!(record["status"], "cancelled", "{record:#}");
    laptop.client.record_that(&job, "has no container", |r| r["cleanup_status"] == "destroyed").await?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_does_not_answer_fails_the_attempt_and_not_the_worker() -> Result<()> {
    async fn silent(path: &str, fault: Fault, what: &str) -> Result<(Laptop, EngineProxy, Process)> {
        let (laptop, proxy) = (Laptop::new().await?, EngineProxy::start().await?);
        let dev = dev(&laptop, &proxy).await?;
        warm_up(&laptop).await?;
        proxy.fail("POST", path, fault);
        let mut spec = shell(&["true"]);
        spec["retry"] = json!({ "max_attempts": 1 });
        let record = laptop.client.run(&spec).await?;
        assert_eq!(
            (&record["status"], &record["end_cause"]),
            (&json!("failed"), &json!("engine")),
            "{record:#}"
        );
        let error = record["error"].as_str().context("no error")?;
        assert!(error.contains(what) && error.contains("did not answer within 60 s"), "{error}");
        Ok((laptop, proxy, dev))
    }
    async fn goes_on(laptop: &Laptop) -> Result<()> {
        let next = laptop.client.run(&shell(&["true"])).await?;
        ensure!(next["status"] == "success", "{next:#}");
        laptop.containers.all_gone().await
    }
    let create = async {
        let (laptop, proxy, dev) = silent("/containers/create", Fault::Late, "create a container").await?;
        assert!(laptop.containers.list().await?.is_empty());
        // The engine makes it after all.
        proxy.heal();
        until("the late container is removed", PATIENCE, async || {
            dev.log().contains("a container that came too late was removed")
        })
        .await?;
        goes_on(&laptop).await
    };
    let start = async {
        let (laptop, proxy, _dev) = silent("/start", Fault::Held, "start the container").await?;
        until("the worker has hung up", PATIENCE, async || proxy.held() == 0).await?;
        proxy.heal();
        goes_on(&laptop).await
    };
    let (create, start) = tokio::join!(create, start);
    create.and(start)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_cannot_be_removed_is_leaked_until_the_sweeper_gets_it() -> Result<()> {
    let (laptop, proxy) = (Laptop::new().await?, EngineProxy::start().await?);
    let mut first = dev(&laptop, &proxy).await?;
    warm_up(&laptop).await?;
    // One that might have been kept is not removed by the engine itself.
    let mut spec = shell(&["true"]);
    spec["cleanup_policy"] = json!("remove_on_completion");
    proxy.fail("DELETE", "/containers/", Fault::Refused);
    let job = laptop.client.submit(&spec).await?;
    laptop.client.ended(&job).await?;
    let is = |status: &'static str| move |record: &Value| record["cleanup_status"] == status;
    laptop.client.record_that(&job, "has a leaked container", is("leaked")).await?;
    assert!(!laptop.containers.list().await?.is_empty(), "leaked is what is still there");

    // A worker sweeps as it starts, and every minute.
    first.kill()?;
    proxy.heal();
    let _second = dev(&laptop, &proxy).await?;
    laptop.client.record_that(&job, "has no container", is("destroyed")).await?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_the_engine_removed_by_itself_is_not_leaked() -> Result<()> {
    let (laptop, proxy) = (Laptop::new().await?, EngineProxy::start().await?);
    let _dev = dev(&laptop, &proxy).await?;
    warm_up(&laptop).await?;
    proxy.fail("DELETE", "/containers/", Fault::Refused);
    let job = laptop.client.submit(&shell(&["true"])).await?;
    laptop.client.ended(&job).await?;
    laptop.client.record_that(&job, "has no container", |r| r["cleanup_status"] == "destroyed").await?;
    laptop.containers.all_gone().await
}
