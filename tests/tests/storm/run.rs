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
use orcaops_tests::wait::until;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::AbortOnDropHandle;

use super::jobs::{Plan, When, plan};
use super::report::{Cancelled, Report, phase};

const JOBS: usize = 200;
/// How many jobs are there at once: enough that some always wait.
const AT_ONCE: usize = 24;
const LOOK: Duration = Duration::from_millis(250);

/// The jobs that have not ended, with their status.
type Live = HashMap<String, &'static str>;

/// How far a job has come.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// It runs, or has ended already.
    Running,
    Ended,
}

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

    let (sender, live_jobs) = watch::channel(Live::new());
    let _looking = AbortOnDropHandle::new(tokio::spawn(look(client.clone(), sender)));
    let (found, volumes) = watch::channel(BTreeSet::new());
    let watching = AbortOnDropHandle::new(tokio::spawn(watch_volumes(Arc::clone(containers), found)));

    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let run = |plan| run(client, Arc::clone(&turns), live_jobs.clone(), plan);
    let cancelled = try_join_all(plans.into_iter().map(run)).await?;
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
async fn run(
    client: &Client,
    turns: Arc<Semaphore>,
    mut live: watch::Receiver<Live>,
    plan: Plan,
) -> Result<Cancelled> {
    let _turn = turns.acquire_owned().await?;
    let job = patiently(async || client.submit(&plan.spec).await).await?;
    // The moments are what is random here; nothing else waits for a time.
    match plan.when {
        When::Submitted(moment) => tokio::time::sleep(moment).await,
        When::Running(moment) => {
            reaches(client, &mut live, &job, Stage::Running).await?;
            tokio::time::sleep(moment).await;
        }
        When::Ended(moment) => {
            reaches(client, &mut live, &job, Stage::Ended).await?;
            tokio::time::sleep(moment).await;
        }
    }
    let before = patiently(async || client.record(&job).await).await?;
    let answer = patiently(async || client.cancel(&job).await).await?;
    let answer = answer["status"].as_str().context("no status")?.to_owned();
    reaches(client, &mut live, &job, Stage::Ended).await?;
    let ended = patiently(async || client.record(&job).await).await?;
    let phase = phase(&before, &answer, &ended);
    Ok(Cancelled { job, answer, phase, ended })
}

/// A machine under this load may have its database answer late; the API then asks to be asked again.
async fn patiently<T>(mut call: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let mut last = None;
    until("the API has an answer", Duration::from_secs(60), async || {
        let answer = call().await;
        let is_final = answer.as_ref().err().is_none_or(|e| !e.to_string().starts_with("503"));
        last = Some(answer);
        is_final
    })
    .await?;
    last.context("no answer")?
}

async fn reaches(client: &Client, live: &mut watch::Receiver<Live>, job: &str, stage: Stage) -> Result<()> {
    loop {
        live.changed().await?;
        let status = live.borrow_and_update().get(job).copied();
        match status {
            Some("running") if stage == Stage::Running => return Ok(()),
            Some(_) => {}
            // Or it moved between the two looks.
            None => {
                let record = patiently(async || client.record(job).await).await?;
                if record["finished_at"].is_string() {
                    return Ok(());
                }
            }
        }
    }
}

/// Looks again and again at what has not ended, so that not every job is asked after.
async fn look(client: Client, live: watch::Sender<Live>) {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        let mut now = Live::new();
        for status in ["queued", "running"] {
            let page = client.get(&format!("/orcaops/jobs?limit=200&status={status}")).await;
            let Ok((200, page)) = page else { continue };
            let jobs = page["jobs"].as_array().into_iter().flatten();
            now.extend(jobs.filter_map(|job| Some((job["job_id"].as_str()?.to_owned(), status))));
        }
        live.send_replace(now);
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
