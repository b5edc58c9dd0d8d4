//! What a job may ask for and what becomes of it, as a table: one row a rule, each a real job in a real container.
//!
//! A new behaviour is a new row in the file of its topic.

#[path = "behaviour/ends.rs"]
mod ends;
#[path = "behaviour/files.rs"]
mod files;
#[path = "behaviour/retries.rs"]
mod retries;
#[path = "behaviour/steps.rs"]
mod steps;

use anyhow::{Context, Result, ensure};
use orcaops_tests::laptop::Laptop;
use orcaops_tests::table::{self, Row, job};
use serde_json::json;

/// So many jobs at once and table: rows that wait for a timeout leave room for the others, and the tables for each other.
const SLOTS: &str = "4";

async fn all_hold(rows: Vec<Row>) -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev(SLOTS).await?;
    table::run(&laptop.client, rows).await?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_run_as_the_spec_says() -> Result<()> {
    all_hold(steps::rows()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_ends_for_the_reason_that_its_record_names() -> Result<()> {
    all_hold(ends::rows()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_go_in_and_artifacts_come_out() -> Result<()> {
    all_hold(files::rows()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_tried_again_only_as_its_spec_says() -> Result<()> {
    all_hold(retries::rows()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jobs_environment_does_not_show_in_its_containers_configuration() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let own = json!({ "STEP_TOKEN": "of-the-step-8312" });
    let spec = job(
        &json!([{ "command": "echo $JOB_TOKEN $STEP_TOKEN; sleep 600", "env": own }]),
        &json!({ "sandbox": { "env": { "JOB_TOKEN": "of-the-job-7391" } } }),
    );
    let id = laptop.client.submit(&spec).await?;
    let mut output = String::new();
    laptop
        .client
        .each_log_event(&id, |_, data| {
            output.push_str(data);
            Ok(output.contains("of-the-step-8312"))
        })
        .await?;
    let record = laptop.client.running(&id).await?;
    let container = record["sandbox_id"].as_str().context("no container")?;
    let shown = serde_json::to_string(&laptop.containers.inspect(container).await?)?;
    ensure!(shown.contains(&id), "the inspection is of the job's container: {shown}");
    for secret in ["of-the-job-7391", "of-the-step-8312", "JOB_TOKEN", "STEP_TOKEN"] {
        ensure!(!shown.contains(secret), "{secret} shows in the container's configuration: {shown}");
    }
    laptop.client.cancel(&id).await?;
    laptop.client.ended(&id).await?;
    laptop.containers.all_gone().await
}
