//! Which of OrcaOps' own containers are on this worker's host.

use std::time::Duration;

use chrono::{DateTime, Utc};
use orcaops_common::domain::container::Container as Listed;
use orcaops_common::domain::control::Containers;
use orcaops_common::domain::id::{JobId, WorkerName};
use tokio::time::timeout;

use crate::config::WorkerConfig;
use crate::engine::{Container, Engine, EngineError, label};

/// The most containers of one answer: all of them must fit into a message on the bus.
const MAX_CONTAINERS: usize = 500;
/// The longest name of an image that is listed, in bytes: it comes from the engine.
const MAX_TEXT: usize = 512;
/// How long the engine may take to list them.
const PATIENCE: Duration = Duration::from_secs(4);

/// Those of the worker's fleet, newest first; without `all`, those that run.
pub(crate) async fn containers(
    engine: &Engine,
    config: &WorkerConfig,
    all: bool,
) -> Result<Containers, EngineError> {
    let found = timeout(PATIENCE, engine.containers(&config.fleet))
        .await
        .unwrap_or_else(|_| Err(EngineError::silent("list containers", PATIENCE)))?;
    let mut containers: Vec<Listed> =
        found.iter().filter(|container| all || container.is_running).filter_map(listed).collect();
    containers.sort_by_key(|container| std::cmp::Reverse(container.created_at));
    let left_out = containers.len().saturating_sub(MAX_CONTAINERS);
    containers.truncate(MAX_CONTAINERS);
    Ok(Containers { containers, left_out: u32::try_from(left_out).unwrap_or(u32::MAX) })
}

/// `None` for what serves no job.
fn listed(container: &Container) -> Option<Listed> {
    let text = |name| container.labels.get(name).map(String::as_str);
    let clip = |text: &str| text.chars().take(MAX_TEXT).collect::<String>();
    let kept_until = text(label::KEPT_UNTIL).filter(|_| container.is_kept());
    Some(Listed {
        id: container.id.clone(),
        names: container.names.iter().map(|name| clip(name)).collect(),
        image: clip(&container.image),
        status: clip(&container.status),
        worker: WorkerName::new(text(label::WORKER)?).ok()?,
        job_id: Some(JobId::new(text(label::JOB)?).ok()?),
        attempt: text(label::NUMBER).and_then(|number| number.parse().ok()),
        created_at: text(label::CREATED_AT).and_then(|at| at.parse().ok()),
        kept_until: kept_until.and_then(|at| DateTime::<Utc>::from_timestamp(at.parse().ok()?, 0)),
    })
}
