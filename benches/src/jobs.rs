//! Jobs: one, one more step, many.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use orcaops_benches::ratio::{Comparison, Goal};
use orcaops_tests::client::shell;
use orcaops_tests::fleet::Fleet;
use serde_json::Value;

use crate::docker;

/// How many steps a job has whose steps are timed.
const STEPS: usize = 21;
/// How many jobs a round of many has.
const MANY: usize = 32;
/// How many `docker run` at once do best on a machine of this kind.
const PARALLEL: usize = 8;

async fn succeed(fleet: &Fleet, spec: &Value) -> Result<Value> {
    let job = fleet.client.submit(spec).await?;
    // Learns of the end as a user would who waits for it: the log's stream ends with the job.
    fleet.client.each_log_event(&job, |event, _| Ok(event == "done")).await?;
    let record = fleet.client.record(&job).await?;
    ensure!(record["status"] == "success", "{record:#}");
    Ok(record)
}

/// Fills the volume of init, and the caches of both sides.
pub(crate) async fn warm_up(fleet: &Fleet) -> Result<()> {
    for _ in 0..2 {
        succeed(fleet, &shell(&["true"])).await?;
        docker::run("true").await?;
    }
    Ok(())
}

/// A job of one step, from submission to the news of its end.
pub(crate) async fn cold(fleet: &Fleet, rounds: usize) -> Result<Comparison> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let started = Instant::now();
        succeed(fleet, &shell(&["echo hello"])).await?;
        ours.push(started.elapsed());
        theirs.push(docker::run("echo hello").await?);
    }
    Ok(Comparison::of_times("cold one-step job", "docker run --rm", Goal::AtMost(0.85), &ours, &theirs))
}

/// What each step after the first adds, by the steps' own times of end.
pub(crate) async fn further_step(fleet: &Fleet, rounds: usize) -> Result<Comparison> {
    let container = docker::Running::start().await?;
    let commands = [("echo hello"); STEPS];
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds.div_ceil(2) {
        let record = succeed(fleet, &shell(&commands)).await?;
        ours.push(between_steps(&record)?);
        theirs.push(container.exec("echo hello").await?);
        theirs.push(container.exec("echo hello").await?);
    }
    container.end().await?;
    Ok(Comparison::of_times("a further step", "docker exec", Goal::AtMost(0.1), &ours, &theirs))
}

fn between_steps(record: &Value) -> Result<Duration> {
    let time = |step: usize| -> Result<chrono::DateTime<chrono::Utc>> {
        Ok(record["steps"][step]["timestamp"].as_str().unwrap_or_default().parse()?)
    };
    let whole = (time(STEPS - 1)? - time(0)?).to_std()?;
    Ok(whole / u32::try_from(STEPS - 1)?)
}

/// Many jobs at once.
pub(crate) async fn throughput(fleet: &Fleet, rounds: usize) -> Result<Comparison> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let spec = shell(&["echo hello"]);
    #[expect(clippy::cast_precision_loss, reason = "32")]
    let rate = |started: Instant| MANY as f64 / started.elapsed().as_secs_f64();
    for _ in 0..rounds {
        let started = Instant::now();
        try_join_all((0..MANY).map(|_| succeed(fleet, &spec))).await?;
        ours.push(rate(started));

        let started = Instant::now();
        let lane = || async {
            for _ in 0..MANY / PARALLEL {
                docker::run("echo hello").await?;
            }
            anyhow::Ok(())
        };
        try_join_all((0..PARALLEL).map(|_| lane())).await?;
        theirs.push(rate(started));
    }
    Ok(Comparison::of(
        "many jobs",
        "parallel docker run --rm (8)",
        "jobs/s",
        Goal::AtLeast(1.1),
        &ours,
        &theirs,
    ))
}
