//! The fleet: API, Postgres, NATS and workers as processes of their own, and what happens when some die.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orcaops_tests::client::shell;
use orcaops_tests::engine_proxy::{EngineProxy, Fault};
use orcaops_tests::fleet::Fleet;
use orcaops_tests::process::Process;
use orcaops_tests::wait::until;
use serde_json::{Value, json};

const JOBS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_jobs_over_two_workers_are_each_recorded_exactly_once() -> Result<()> {
    let fleet = Fleet::start().await?;
    let _workers = [fleet.worker("left", 2)?, fleet.worker("right", 2)?];
    let mut jobs = Vec::new();
    for n in 0..JOBS {
        let mut spec = shell(&[&format!("echo job {n}; echo {n} > /tmp/n.txt"), "cat /tmp/n.txt"]);
        spec["artifacts"] = json!(["/tmp/*.txt"]);
        spec["job_id"] = json!(format!("sixty-{n}"));
        jobs.push(fleet.client.submit(&spec).await?);
    }

    let mut workers: BTreeMap<String, usize> = BTreeMap::new();
    for (n, job) in jobs.iter().enumerate() {
        let record = fleet.client.ended(job).await?;
        ensure!(record["status"] == "success", "{record:#}");
        assert_eq!(record["steps"][0]["stdout"], format!("job {n}\n"));
        assert_eq!(record["steps"][1]["stdout"], format!("{n}\n"));
        assert_eq!(record["artifacts"][0]["path"], "n.txt");
        assert_eq!(record["attempt"], 1);
        let (status, bytes) = fleet.client.bytes(&format!("/orcaops/jobs/{job}/artifacts/n.txt")).await?;
        assert_eq!((status, bytes), (200, format!("{n}\n").into_bytes()));
        *workers.entry(record["worker"].as_str().context("no worker")?.to_owned()).or_default() += 1;
    }
    println!("jobs by worker: {workers:?}");
    assert_eq!(workers.len(), 2, "both workers took part");

    let (_, page) = fleet.client.get("/orcaops/runs?limit=200").await?;
    let ids: HashSet<&str> =
        page["runs"].as_array().context("no runs")?.iter().filter_map(|r| r["job_id"].as_str()).collect();
    assert_eq!((page["total"].as_u64(), ids.len()), (Some(JOBS as u64), JOBS));

    let pool = sqlx::PgPool::connect(fleet.database()).await?;
    let rows: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM attempts), (SELECT count(*) FROM steps), (SELECT count(*) FROM artifacts)",
    )
    .fetch_one(&pool)
    .await?;
    assert_eq!(rows, (60, 120, 60), "attempts, steps, artifacts");
    pool.close().await;

    for job in &jobs {
        let folder = fleet.artifacts().join(job);
        until("the job's files are mirrored", Duration::from_secs(60), async || {
            let run = std::fs::read(folder.join("run.json")).unwrap_or_default();
            let run: Value = serde_json::from_slice(&run).unwrap_or_default();
            run["status"] == "success"
        })
        .await?;
        assert!(["logs/log.jsonl", "n.txt"].iter().all(|f| folder.join(f).is_file()));
        assert_eq!(std::fs::read_to_string(folder.join("steps.jsonl"))?.lines().count(), 2);
    }
    fleet.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_job_ends_once_on_another_and_its_container_is_gone() -> Result<()> {
    let fleet = Fleet::start().await?;
    let mut first = fleet.worker("first", 1)?;
    let job = fleet.client.submit(&shell(&["echo begun; sleep 5; echo done"])).await?;
    let container = container_of(&fleet, &job).await?;
    ensure!(fleet.containers.list().await?.iter().any(|(id, _)| *id == container), "the container is listed");

    let _second = fleet.worker("second", 1)?;
    first.kill()?;
    let gone = fleet.containers.gone(&container).await?;
    println!("container gone {} ms after its worker was killed", gone.as_millis());

    let record = fleet.client.ended(&job).await?;
    assert_eq!(record["status"], "success", "{record:#}");
    assert_eq!(record["worker"], "second");
    assert_eq!(record["attempt"], 2);
    assert_eq!(record["steps"].as_array().map(Vec::len), Some(1));
    fleet.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_worker_that_comes_back_changes_nothing() -> Result<()> {
    let fleet = Fleet::start().await?;
    let frozen = fleet.worker("frozen", 1)?;
    let job = fleet.client.submit(&shell(&["echo begun; sleep 12; echo done"])).await?;
    fleet.client.each_log_event(&job, |_, data| Ok(data.contains("begun"))).await?;
    let container = container_of(&fleet, &job).await?;
    frozen.signal("STOP")?;
    moves_on(&fleet, &frozen, &job, &container).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_frozen_before_it_has_greeted_its_container_leaves_none() -> Result<()> {
    let fleet = Fleet::start().await?;
    let proxy = EngineProxy::start().await?;
    let frozen = fleet.worker_with("frozen", 1, &[("DOCKER_HOST", proxy.address())])?;
    proxy.fail("POST", "/start", Fault::Late);
    let job = fleet.client.submit(&shell(&["sleep 12; echo done"])).await?;
    until("the engine is about to start the container", Duration::from_secs(60), async || proxy.held() > 0)
        .await?;
    let container = container_of(&fleet, &job).await?;
    frozen.signal("STOP")?;
    proxy.heal();
    moves_on(&fleet, &frozen, &job, &container).await
}

async fn container_of(fleet: &Fleet, job: &str) -> Result<String> {
    Ok(fleet.client.running(job).await?["sandbox_id"].as_str().context("no container")?.to_owned())
}

/// The job of a worker that has just been frozen goes to another, and by then nothing of its container runs.
async fn moves_on(fleet: &Fleet, frozen: &Process, job: &str, container: &str) -> Result<()> {
    // The engine keeps the container's entry while a client that is attached stands still; its processes are
    // what must be gone.
    let mut init = None;
    until("the container runs", Duration::from_secs(10), async || {
        let state = fleet.containers.inspect(container).await.ok().and_then(|c| c.state);
        init = state.and_then(|s| s.pid).filter(|pid| *pid > 0);
        init.is_some()
    })
    .await?;
    let root = format!("/proc/{}/root", init.context("no process")?);
    let is_alive = || Path::new(&root).exists();
    ensure!(is_alive(), "{root} is not on this machine");
    let _other = fleet.worker("other", 1)?;
    let moved = fleet.client.record_that(job, "moves on", |r| r["worker"] == "other").await?;
    assert_eq!(moved["attempt"], 2);
    assert!(!is_alive(), "the frozen worker's container lives while the job runs elsewhere");
    frozen.signal("CONT")?;
    let record = fleet.client.ended(job).await?;
    assert_eq!((&record["status"], &record["worker"]), (&json!("success"), &json!("other")), "{record:#}");
    fleet.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_api_died_between_insert_and_publish_still_runs() -> Result<()> {
    let mut fleet = Fleet::start_with(&[("ORCAOPS_FAILPOINT", "after_insert")]).await?;
    let _worker = fleet.worker("worker", 1)?;
    let mut spec = shell(&["echo survived"]);
    spec["job_id"] = json!("orphan");
    assert!(fleet.client.submit(&spec).await.is_err(), "the API answers nothing: it died");
    fleet.api.ended(Duration::from_secs(20)).await?;
    fleet.restart_api().await?;
    let record = fleet.client.ended("orphan").await?;
    assert_eq!(record["status"], "success", "{record:#}");
    assert_eq!(fleet.client.submit(&spec).await?, "orphan", "the client may repeat its submission");
    fleet.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_all_of_nats_data_loses_no_job() -> Result<()> {
    let mut fleet = Fleet::start().await?;
    let queued = fleet.client.submit(&shell(&["echo queued"])).await?;
    fleet.nats.wipe_and_restart().await?;
    let _worker = fleet.worker("worker", 1)?;
    let record = fleet.client.ended(&queued).await?;
    assert_eq!(record["status"], "success", "{record:#}");
    fleet.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_end_hands_nothing_back_that_it_can_finish() -> Result<()> {
    let fleet = Fleet::start().await?;
    let mut worker = fleet.worker("leaving", 1)?;
    let job = fleet.client.submit(&shell(&["sleep 2; echo finished"])).await?;
    fleet.client.running(&job).await?;
    worker.signal("TERM")?;
    let status = worker.ended(Duration::from_secs(60)).await?;
    ensure!(status.success(), "{status}");
    let record = fleet.client.ended(&job).await?;
    assert_eq!((&record["status"], &record["attempt"]), (&json!("success"), &json!(1)), "{record:#}");
    fleet.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_ends_cancelled_whether_queued_or_running() -> Result<()> {
    let fleet = Fleet::start().await?;
    let queued = fleet.client.submit(&shell(&["echo never"])).await?;
    assert_eq!(fleet.client.cancel(&queued).await?["status"], "cancelled");
    let _worker = fleet.worker("worker", 1)?;
    let running = fleet.client.submit(&shell(&["sleep 600"])).await?;
    let container = fleet.client.running(&running).await?["sandbox_id"].clone();
    fleet.client.cancel(&running).await?;
    let record = fleet.client.ended(&running).await?;
    assert_eq!((&record["status"], &record["end_cause"]), (&json!("cancelled"), &json!("cancelled")));
    let gone = fleet.containers.gone(container.as_str().context("no container")?).await?;
    println!("container gone {} ms after its job was recorded as cancelled", gone.as_millis());
    let record = fleet.client.record(&queued).await?;
    assert_eq!((&record["status"], &record["steps"]), (&json!("cancelled"), &json!([])));
    fleet.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_of_output_leaves_memory_flat() -> Result<()> {
    const GIB: u64 = 1 << 30;
    let fleet = Fleet::start().await?;
    let worker = fleet.worker("worker", 1)?;
    // Warm both up, so that what is compared is a running state.
    fleet.client.run(&shell(&["echo warm"])).await?;
    let before = (worker.memory()?.0, fleet.api.memory()?.0);
    let command =
        format!("yes 'a line of output, as long as such lines are' | head -c {GIB}; echo; echo end");
    let mut spec = shell(&[&command]);
    spec["commands"][0]["timeout_seconds"] = json!(600);
    let job = fleet.client.submit(&spec).await?;

    let mut lines = 0u64;
    fleet
        .client
        .each_log_event(&job, |event, _| {
            lines += 1;
            Ok(event == "done")
        })
        .await?;
    let after = (worker.memory()?.1, fleet.api.memory()?.1);
    println!("lines followed: {lines}");
    println!("worker: {} KiB before, {} KiB at its highest", before.0, after.0);
    println!("api: {} KiB before, {} KiB at its highest", before.1, after.1);

    let record = fleet.client.ended(&job).await?;
    assert_eq!(record["status"], "success", "{record:#}");
    let step = &record["steps"][0];
    assert!(step["stdout_bytes"].as_u64().is_some_and(|n| n > GIB), "{}", step["stdout_bytes"]);
    assert!(step["stdout"].as_str().is_some_and(|s| s.ends_with("\nend\n") && s.len() < 128 * 1024));
    let limit = 64 * 1024;
    assert!(after.0 < before.0 + limit && after.1 < before.1 + limit, "memory grew with the output");
    fleet.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_allow_nothing_of_their_hosts_by_default_and_say_which_containers_they_have() -> Result<()> {
    let fleet = Fleet::start().await?;
    let _left = fleet.worker("left", 1)?;
    let mut right = fleet.worker("right", 1)?;
    let mut jobs = Vec::new();
    for _ in 0..2 {
        jobs.push(fleet.client.submit(&shell(&["sleep 600"])).await?);
    }
    let mut list = Value::Null;
    until("both containers are listed", Duration::from_secs(60), async || {
        list = fleet.client.get("/orcaops/ps").await.map(|(_, list)| list).unwrap_or_default();
        list["count"] == 2
    })
    .await
    .with_context(|| list.to_string())?;
    let workers: HashSet<&str> = list["containers"]
        .as_array()
        .context("no list")?
        .iter()
        .filter_map(|c| c["worker"].as_str())
        .collect();
    assert_eq!(workers, HashSet::from(["left", "right"]), "{list}");
    let (_, one) = fleet.client.get("/orcaops/ps?worker=left").await?;
    assert_eq!((&one["count"], &one["containers"][0]["worker"]), (&json!(1), &json!("left")), "{one}");

    right.kill()?;
    let (_, list) = fleet.client.get("/orcaops/ps").await?;
    assert_eq!(list["silent_workers"], json!(["right"]), "it was alive a moment ago: {list}");
    for job in &jobs {
        fleet.client.cancel(job).await?;
    }
    for job in &jobs {
        fleet.client.ended(job).await?;
    }

    let mut published = shell(&["true"]);
    published["ports"] = json!({ "80/tcp": 8080 });
    let refused = fleet.client.run(&published).await?;
    assert_eq!(
        (&refused["status"], &refused["end_cause"]),
        (&json!("failed"), &json!("policy")),
        "{refused:#}"
    );
    assert!(refused["error"].as_str().is_some_and(|e| e.contains("ORCAOPS_ALLOW_PORTS")), "{refused:#}");
    fleet.containers.all_gone().await
}
