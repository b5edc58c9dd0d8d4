//! A storm of cancellations: many jobs of all kinds, each cancelled at a random moment of its life.
//!
//! `ORCAOPS_STORM_SEED` repeats a storm's choices; when they fall is up to the machine.

#[path = "storm/jobs.rs"]
mod jobs;
#[path = "storm/report.rs"]
mod report;
#[path = "storm/run.rs"]
mod run;

use anyhow::{Context, Result};
use orcaops_tests::fleet::Fleet;
use orcaops_tests::laptop::Laptop;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_cancelled_jobs_end_once_each_on_one_machine() -> Result<()> {
    let laptop = Laptop::new().await?;
    let dev = laptop.dev("8").await?;
    let report = run::storm(&laptop.client, &laptop.containers).await.with_context(|| dev.log())?;
    println!("{report}");
    report.is_sound()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_cancelled_jobs_end_once_each_in_a_fleet() -> Result<()> {
    let fleet = Fleet::start().await?;
    let _workers = [fleet.worker("left", 4)?, fleet.worker("right", 4)?];
    let report = run::storm(&fleet.client, &fleet.containers).await?;
    println!("{report}");
    report.is_sound()?;
    report::attempts_agree(fleet.database()).await
}
