//! The files that a job left behind.

use std::path::Path;

use orcaops_common::domain::id::JobId;

use crate::client::{Client, place};
use crate::failure::Failure;
use crate::output::{harmless, print, print_json, table};

pub(super) async fn list(client: &Client, job: &JobId, json: bool) -> Result<(), Failure> {
    let answer = client.artifacts(job.as_str()).await?;
    if json {
        return print_json(&answer.json);
    }
    print(&table::artifacts(&answer.is.artifacts))
}

/// Fetches a file into the folder, under its own name.
pub(super) async fn download(
    client: &Client,
    job: &JobId,
    path: &str,
    folder: &Path,
    json: bool,
) -> Result<(), Failure> {
    let artifacts = client.artifacts(job.as_str()).await?.is.artifacts;
    let Some(artifact) = artifacts.iter().find(|a| a.path == path) else {
        let names: Vec<_> = artifacts.iter().map(|a| format!("\n  {}", harmless(&a.path))).collect();
        let has = if names.is_empty() { " it has none".to_owned() } else { names.concat() };
        return Err(Failure::Usage(format!("job {job} has no artifact `{path}`;{has}")));
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let target = place(folder, name)?;
    client.download(job.as_str(), artifact, &target).await?;
    if json { print_json(artifact) } else { print(&format!("{}\n", target.display())) }
}
