//! What becomes of containers after their jobs: removed, kept for a while, or swept.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use orcaops_tests::client::shell;
use orcaops_tests::docker::test_image;
use orcaops_tests::laptop::{Laptop, exits, text};
use orcaops_tests::wait::until;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

async fn cleaned(laptop: &Laptop, job: &str, status: &str) -> Result<Value> {
    laptop.client.record_that(job, &format!("is {status}"), |r| r["cleanup_status"] == status).await
}

fn with_policy(commands: &[&str], policy: &str) -> Value {
    let mut spec = shell(commands);
    spec["cleanup_policy"] = json!(policy);
    spec["commands"][0]["timeout_seconds"] = json!(1);
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_kept_or_removed_as_its_jobs_policy_says_and_the_record_says_which() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("2").await?;
    let (succeeds, fails, times_out) =
        ("echo x > /left", "echo x > /left; exit 3", "echo x > /left; sleep 600");
    let rows = [
        ("always_remove", [(succeeds, false), (fails, false), (times_out, false)]),
        ("remove_on_completion", [(succeeds, false), (fails, true), (times_out, true)]),
        ("keep_on_completion", [(succeeds, true), (fails, true), (times_out, false)]),
        ("remove_on_timeout", [(succeeds, true), (fails, true), (times_out, false)]),
        ("never_remove", [(succeeds, true), (fails, true), (times_out, true)]),
    ];
    let mut kept = Vec::new();
    for (policy, outcomes) in rows {
        for (command, is_kept) in outcomes {
            let job = laptop.client.submit(&with_policy(&[command], policy)).await?;
            laptop.client.ended(&job).await?;
            let record = cleaned(&laptop, &job, if is_kept { "kept" } else { "destroyed" }).await?;
            if is_kept {
                kept.push(record["sandbox_id"].as_str().context("no container")?.to_owned());
            }
        }
    }
    let mut left: Vec<String> = laptop.containers.list().await?.into_iter().map(|(id, _)| id).collect();
    left.sort();
    kept.sort();
    assert_eq!(left, kept, "what is there is what was kept");
    for id in &kept {
        let container = laptop.containers.inspect(id).await?;
        assert_eq!(container.state.and_then(|s| s.running), Some(false), "nothing of the job runs any more");
        assert!(container.name.is_some_and(|name| name.starts_with("/kept-orcaops-")));
        assert_eq!(laptop.containers.file(id, "/left").await?, b"x\n", "its files are there");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_another_follows_keeps_nothing_and_a_cancelled_one_may() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("2").await?;
    let mut again = with_policy(&["exit 3"], "never_remove");
    again["retry"] = json!({ "max_attempts": 2, "on": ["failure"] });
    let again = laptop.client.submit(&again).await?;
    laptop.client.ended(&again).await?;
    let record = cleaned(&laptop, &again, "kept").await?;
    assert_eq!(record["attempt"], 2, "{record:#}");
    until("one container is left", PATIENCE, async || {
        laptop.containers.list().await.is_ok_and(|list| list.len() == 1)
    })
    .await?;
    let (_, labels) = laptop.containers.list().await?.remove(0);
    assert_eq!(labels["orcaops.attempt_number"], "2", "the one of the attempt that counts");

    let mut long = with_policy(&["echo up; sleep 600"], "never_remove");
    long["commands"][0]["timeout_seconds"] = json!(600);
    let long = laptop.client.submit(&long).await?;
    // One that was cancelled before anything ran in it holds nothing to look at.
    laptop.client.each_log_event(&long, |_, data| Ok(data.contains("up"))).await?;
    laptop.client.cancel(&long).await?;
    laptop.client.ended(&long).await?;
    cleaned(&laptop, &long, "kept").await?;

    let mut unmade = with_policy(&["true"], "never_remove");
    unmade["sandbox"]["image"] = json!("orcaops-test:no-such-tag");
    let unmade = laptop.client.run(&unmade).await?;
    assert_eq!(unmade["cleanup_status"], "destroyed", "there never was one: {unmade:#}");
    Ok(())
}

/// The engine does not remove a container that might be kept, so what a dead worker leaves is the sweeper's.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_died_in_mid_job_leaves_no_container_that_might_have_been_kept() -> Result<()> {
    let laptop = Laptop::new().await?;
    let mut dev = laptop.dev("1").await?;
    let mut spec = with_policy(&["[ $ORCAOPS_ATTEMPT = 2 ] || sleep 600"], "never_remove");
    spec["commands"][0]["timeout_seconds"] = json!(600);
    let job = laptop.client.submit(&spec).await?;
    let record = laptop.client.running(&job).await?;
    let first = record["sandbox_id"].as_str().context("no container")?.to_owned();
    dev.kill()?;
    let _dev = laptop.dev("1").await?;
    laptop.containers.gone(&first).await?;
    let record = laptop.client.ended(&job).await?;
    assert_eq!((&record["status"], &record["attempt"]), (&json!("success"), &json!(2)), "{record:#}");
    cleaned(&laptop, &job, "kept").await?;
    Ok(())
}

/// A container as a worker would have left it.
async fn leave(name: &str, labels: &[(&str, &str)]) -> Result<String> {
    let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
    let labels: HashMap<String, String> =
        labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let body = ContainerCreateBody {
        image: Some(test_image()),
        cmd: Some(vec!["true".to_owned()]),
        labels: Some(labels),
        host_config: Some(HostConfig { network_mode: Some("none".to_owned()), ..Default::default() }),
        ..Default::default()
    };
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    Ok(docker.create_container(Some(options), body).await?.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweeper_takes_what_is_its_own_and_past_its_time_and_nothing_else() -> Result<()> {
    let laptop = Laptop::new().await?;
    let stranger = Laptop::new().await?;
    let (fleet, foreign) = (laptop.env()[2].1, stranger.env()[2].1);
    let (past, future) = ("1000000000", "4000000000");
    let rows = [
        // Name, fleet, worker, orcaops.expires_at, orcaops.kept_until, whether it is swept.
        ("orcaops-own", fleet, "me", future, None, true),
        ("orcaops-others", fleet, "other", future, None, false),
        ("orcaops-others-late", fleet, "other", past, None, true),
        ("orcaops-died", fleet, "me", future, Some(future), true),
        ("kept-orcaops-young", fleet, "other", past, Some(future), false),
        ("kept-orcaops-old", fleet, "other", past, Some(past), true),
        ("orcaops-foreign", foreign, "me", past, Some(past), false),
    ];
    let (mut swept, mut left) = (Vec::new(), Vec::new());
    for (name, fleet, worker, expires_at, kept_until, is_swept) in rows {
        let mut labels = vec![
            ("orcaops.fleet", fleet),
            ("orcaops.worker", worker),
            ("orcaops.job_id", "dead"),
            ("orcaops.attempt", "1.1"),
            ("orcaops.attempt_number", "1"),
            ("orcaops.expires_at", expires_at),
        ];
        labels.extend(kept_until.map(|at| ("orcaops.kept_until", at)));
        let id = leave(&format!("{name}-{fleet}"), &labels).await?;
        if is_swept { swept.push(id) } else { left.push(id) }
    }
    let _dev = laptop.dev_with(&["--name", "me"]).await?;
    for id in &swept {
        laptop.containers.gone(id).await?;
    }
    for id in &left {
        laptop.containers.inspect(id).await?;
    }
    Ok(())
}

/// The age of a kept container is over: the record must not go on saying that it is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_the_sweeper_removed_is_recorded_as_destroyed() -> Result<()> {
    let laptop = Laptop::new().await?;
    let mut dev = laptop.dev_with(&["--name", "first"]).await?;
    let job = laptop.client.submit(&with_policy(&["true"], "never_remove")).await?;
    laptop.client.ended(&job).await?;
    let record = cleaned(&laptop, &job, "kept").await?;
    let id = record["sandbox_id"].as_str().context("no container")?;
    // Without its mark it is what a worker of that name died over.
    laptop.containers.rename(id, &format!("orcaops-{job}-unmarked")).await?;
    dev.kill()?;
    let _dev = laptop.dev_with(&["--name", "first"]).await?;
    cleaned(&laptop, &job, "destroyed").await?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn own_containers_are_listed_with_and_without_a_server() -> Result<()> {
    let laptop = Laptop::new().await?;
    let dev = laptop.dev_with(&["--name", "lister"]).await?;
    let kept = laptop.client.submit(&with_policy(&["true"], "never_remove")).await?;
    laptop.client.ended(&kept).await?;
    cleaned(&laptop, &kept, "kept").await?;
    let mut long = shell(&["sleep 600"]);
    long["labels"] = json!({ "team": "blue" });
    let running = laptop.client.submit(&long).await?;
    let record = laptop.client.running(&running).await?;

    // The record knows of the container before the engine has started it.
    let mut list = Value::Null;
    until("the container runs", PATIENCE, async || {
        list = laptop.client.get("/orcaops/ps").await.map(|(_, list)| list).unwrap_or_default();
        list["count"] == 1
    })
    .await
    .with_context(|| list.to_string())?;
    let container = &list["containers"][0];
    assert_eq!((&container["id"], &container["job_id"]), (&record["sandbox_id"], &json!(running)), "{list}");
    assert_eq!((&container["worker"], &container["attempt"]), (&json!("lister"), &json!(1)), "{list}");
    assert_eq!(
        (&container["kept_until"], &container["image"]),
        (&Value::Null, &json!(test_image())),
        "{list}"
    );

    let (_, all) = laptop.client.get("/orcaops/ps?all=true&worker=lister").await?;
    let names: Vec<_> = all["containers"].as_array().into_iter().flatten().map(|c| &c["job_id"]).collect();
    assert_eq!(names, [&json!(running), &json!(kept)], "newest first: {all}");
    assert!(all["containers"][1]["kept_until"].is_string(), "{all}");
    let (status, _) = laptop.client.get("/orcaops/ps?worker=nobody").await?;
    assert_eq!(status, 404);

    // Over the same home folder without its server.
    let own = laptop.orcaops(&["ps", "-a"])?;
    exits(&own, 0)?;
    let table = text(&own.stdout);
    assert!(table.contains(&kept) && table.contains(&running) && table.contains("for 1 d"), "{table}");
    assert_eq!(text(&own.stderr), "");
    laptop.client.cancel(&running).await?;
    laptop.client.ended(&running).await?;
    cleaned(&laptop, &running, "destroyed").await?;
    drop(dev);
    let own = laptop.orcaops(&["ps", "--json"])?;
    exits(&own, 0)?;
    assert_eq!(serde_json::from_slice::<Value>(&own.stdout)?["count"], 0, "kept ones do not run");
    Ok(())
}

/// It renamed the container, and died before it could say so: here played by containers with the marks of one. An
/// attempt that is not the record's keeps nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_says_at_its_start_what_it_had_kept_and_drops_what_counts_for_nothing() -> Result<()> {
    let laptop = Laptop::new().await?;
    let fleet = laptop.env()[2].1;
    let mut dev = laptop.dev_with(&["--name", "me"]).await?;
    let job = laptop.client.submit(&shell(&["true"])).await?;
    laptop.client.ended(&job).await?;
    cleaned(&laptop, &job, "destroyed").await?;
    let mut left = Vec::new();
    for attempt in ["1.1", "1.9"] {
        let labels = [
            ("orcaops.fleet", fleet),
            ("orcaops.worker", "me"),
            ("orcaops.job_id", job.as_str()),
            ("orcaops.attempt", attempt),
            ("orcaops.attempt_number", "1"),
            ("orcaops.expires_at", "1000000000"),
            ("orcaops.kept_until", "4000000000"),
        ];
        left.push(leave(&format!("kept-orcaops-{job}-{attempt}-{fleet}"), &labels).await?);
    }
    dev.kill()?;
    let _dev = laptop.dev_with(&["--name", "me"]).await?;
    cleaned(&laptop, &job, "kept").await?;
    laptop.containers.gone(&left[1]).await?;
    laptop.containers.inspect(&left[0]).await?;
    Ok(())
}
