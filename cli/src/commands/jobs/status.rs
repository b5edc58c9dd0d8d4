//! Where a job stands, and putting an end to it.

use chrono::Utc;
use orcaops_common::domain::id::JobId;

use crate::client::Client;
use crate::failure::Failure;
use crate::output::style::Style;
use crate::output::{print, print_json, summary};

pub(super) async fn show(client: &Client, job: &JobId, json: bool) -> Result<(), Failure> {
    let answer = client.status(job.as_str()).await?;
    if json {
        return print_json(&answer.json);
    }
    print(&summary::of(&answer.is.record, Utc::now(), Style::stdout()))
}

pub(super) async fn cancel(client: &Client, job: &JobId, json: bool) -> Result<(), Failure> {
    let answer = client.cancel(job.as_str()).await?;
    if json {
        return print_json(&answer.json);
    }
    print(&format!("{job}: {}\n", answer.is.message))
}
