//! `make bench`: prints a table of ratios and writes them as JSON.
//!
//! Usage: `orcaops-bench [--json FILE] [--rounds N] [--only TOPIC]`. It starts its own fleet from the `orcaops` binary that lies
//! beside it, with servers of its own, and ends all of it.

mod artifacts;
mod docker;
mod jobs;
mod output;
mod submits;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use orcaops_benches::ratio::header;
use orcaops_tests::fleet::Fleet;
use orcaops_tests::postgres::Postgres;
use orcaops_tests::process::Process;

struct Options {
    json: PathBuf,
    rounds: usize,
    only: Option<String>,
}

/// What can be measured, in this order.
const TOPICS: [&str; 6] = ["cold", "step", "many", "submit", "output", "artifacts"];
/// How many jobs the worker runs at once: what parallel `docker run` does best with.
const SLOTS: u32 = 8;

#[tokio::main]
async fn main() -> Result<()> {
    let options = options()?;
    let postgres = Postgres::start_durable().await;
    let fleet = Fleet::start_on(postgres.create_database().await, &[]).await?;
    let worker = fleet.worker("bench", SLOTS)?;
    measure(&fleet, &worker, &options).await.with_context(|| {
        let tail = |log: String| log.lines().rev().take(20).map(|l| format!("  {l}\n")).collect::<String>();
        format!(
            "newest first, the worker said:\n{}the API said:\n{}",
            tail(worker.log()),
            tail(fleet.api.log())
        )
    })
}

async fn measure(fleet: &Fleet, worker: &Process, options: &Options) -> Result<()> {
    jobs::warm_up(fleet).await?;
    println!("{}", header());
    let mut comparisons = Vec::new();
    let few = options.rounds.div_ceil(4);
    for topic in TOPICS.iter().filter(|t| options.only.as_ref().is_none_or(|only| only == *t)) {
        let comparison = match *topic {
            "cold" => jobs::cold(fleet, options.rounds).await?,
            "step" => jobs::further_step(fleet, options.rounds).await?,
            "many" => jobs::throughput(fleet, few).await?,
            "submit" => submits::rate(fleet, few).await?,
            "output" => output::rate(fleet, few).await?,
            _ => artifacts::rate(fleet, few).await?,
        };
        println!("{}", comparison.row());
        comparisons.push(comparison);
    }
    println!("\nmemory at the end: worker {} KiB, api {} KiB", worker.memory()?.0, fleet.api.memory()?.0);
    std::fs::write(&options.json, serde_json::to_vec_pretty(&comparisons)?)
        .with_context(|| format!("cannot write {}", options.json.display()))?;
    println!("written to {}", options.json.display());
    fleet.containers.all_gone().await
}

fn options() -> Result<Options> {
    let mut options = Options { json: PathBuf::from("target/bench.json"), rounds: 20, only: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().with_context(|| format!("{arg} needs a value"))?;
        match arg.as_str() {
            "--json" => options.json = value.into(),
            "--rounds" => options.rounds = value.parse().context("--rounds needs a number")?,
            "--only" if TOPICS.contains(&value.as_str()) => options.only = Some(value),
            "--only" => bail!("--only {value} is not known; there are {}", TOPICS.join(", ")),
            other => bail!("unknown option {other}; there are --json FILE, --rounds N and --only TOPIC"),
        }
    }
    Ok(options)
}
