//! The storm itself.

use std::collections::{BTreeSet, HashMap};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use fastrand::Rng;
use futures_util::future::try_join_all;
use orcaops_tests::client::Client;
use orcaops_tests::docker::FleetContainers;
use orcaops_tests::variant::Variant;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::AbortOnDropHandle;

use super::jobs::{Plan, When, plan};
use super::report::{Cancelled, Report, phase};

const JOBS: usize = 200;
/// How many jobs are there at once: enough that some always wait.
const AT_ONCE: usize = 24;
const LOOK: Duration = Duration::from_millis(250);

/// What a job can end as.
const ENDED: [&str; 4] = ["success", "failed", "timed_out", "cancelled"];

type Records = HashMap<String, Value>;

/// Runs and cancels all jobs, and tells what became of them.
pub(crate) async fn storm(client: &Client, containers: &Arc<FleetContainers>) -> Result<Report> {
    let seed = std::env::var("ORCAOPS_STORM_SEED").ok().and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or_else(|| Rng::new().u64(..));
    println!("ORCAOPS_STORM_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let image = Variant::new("VOLUME /volume").await?;
    let registry = TcpListener::bind("127.0.0.1:0")?;
    let silent = format!("127.0.0.1:{}/silent:1", registry.local_addr()?.port());
    let plans: Vec<Plan> = (0..JOBS).map(|n| plan(&mut random, n, image.name(), &silent)).collect();

    let (sender, records) = watch::channel(Records::new());
    let _looking = AbortOnDropHandle::new(tokio::spawn(look(client.clone(), sender)));
    let (found, volumes) = watch::channel(BTreeSet::new());
    let watching = AbortOnDropHandle::new(tokio::spawn(watch_volumes(Arc::clone(containers), found)));

    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let live = |plan| live(client, Arc::clone(&turns), records.clone(), plan);
    let cancelled = try_join_all(plans.into_iter().map(live)).await?;
    containers.all_gone().await?;
    drop(watching);
    let volumes = volumes.borrow().clone();
    let mut left = Vec::new();
    for volume in &volumes {
        if containers.has_volume(volume).await? {
            left.push(volume.clone());
        }
    }
    let mut report = Report::new(volumes.len(), left);
    for cancelled in cancelled {
        let is_settled = |r: &Value| r["sandbox_id"].is_null() || r["cleanup_status"] != "pending";
        let now = client.record_that(&cancelled.job, "is cleaned up", is_settled).await?;
        report.add(cancelled, now);
    }
    let (_, page) = client.get("/orcaops/runs?limit=200").await?;
    report.listed(&page);
    Ok(report)
}

/// One job, from its submission to its end.
async fn live(
    client: &Client,
    turns: Arc<Semaphore>,
    mut records: watch::Receiver<Records>,
    plan: Plan,
) -> Result<Cancelled> {
    let _turn = turns.acquire_owned().await?;
    let job = client.submit(&plan.spec).await?;
    let mut is = async |status: &[&str]| {
        let there =
            |records: &Records| records.get(&job).is_some_and(|r| status.iter().any(|s| r["status"] == *s));
        records.wait_for(there).await.map(|_| ()).context("nobody looks")
    };
    // The moments are what is random here; nothing else waits for a time.
    match plan.when {
        When::Submitted(moment) => tokio::time::sleep(moment).await,
        When::Running(moment) => {
            is(&["running", ENDED[0], ENDED[1], ENDED[2], ENDED[3]]).await?;
            tokio::time::sleep(moment).await;
        }
        When::Ended(moment) => {
            is(&ENDED).await?;
            tokio::time::sleep(moment).await;
        }
    }
    let before = client.record(&job).await?;
    let answer = client.cancel(&job).await?["status"].as_str().context("no status")?.to_owned();
    is(&ENDED).await?;
    let ended = client.record(&job).await?;
    let phase = phase(&before, &answer, &ended);
    Ok(Cancelled { job, answer, phase, ended })
}

async fn look(client: Client, records: watch::Sender<Records>) {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        if let Ok((200, page)) = client.get("/orcaops/jobs?limit=200").await {
            let jobs = page["jobs"].as_array().into_iter().flatten();
            let named = jobs.filter_map(|r| Some((r["job_id"].as_str()?.to_owned(), r.clone())));
            records.send_replace(named.collect());
        }
    }
}

/// Notes the volumes of all containers that it sees.
async fn watch_volumes(containers: Arc<FleetContainers>, found: watch::Sender<BTreeSet<String>>) {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        if let Ok(volumes) = containers.mounted_volumes().await {
            found.send_modify(|all| all.extend(volumes));
        }
    }
}
