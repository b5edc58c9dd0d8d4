//! Asks workers for their containers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use orcaops_common::bus::{Address, Bus};
use orcaops_common::domain::container::Container;
use orcaops_common::domain::control::{Containers, WorkerCall};
use orcaops_common::domain::id::WorkerName;
use orcaops_common::store::{Store, StoreError};

use crate::error::chain;

/// Workers that have been silent for longer are not asked: five heartbeats.
const ALIVE: Duration = Duration::from_secs(15);
/// How long a worker has to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many workers are asked at once.
const AT_ONCE: usize = 64;

/// What the workers answered, together.
pub(crate) struct Found {
    /// The containers, newest first, each once: workers of one host see the same.
    pub(crate) containers: Vec<Container>,
    /// Workers that are alive and did not answer.
    pub(crate) silent: Vec<WorkerName>,
    /// Containers that did not fit into the answers.
    pub(crate) left_out: u32,
    /// Workers that are alive.
    pub(crate) alive: Vec<WorkerName>,
}

/// Asks all workers that are alive; of `worker`, if it is named and alive, only that one.
pub(crate) async fn find(
    store: &dyn Store,
    bus: &Arc<dyn Bus>,
    all: bool,
    worker: Option<&WorkerName>,
) -> Result<Found, StoreError> {
    let alive: Vec<WorkerName> = store.workers(ALIVE).await?.into_iter().map(|row| row.name).collect();
    let asked: Vec<WorkerName> = match worker.filter(|worker| alive.contains(worker)) {
        Some(worker) => vec![worker.clone()],
        None => alive.clone(),
    };
    let answers: Vec<_> = stream::iter(asked)
        .map(|name| async move { (ask(bus, &name, all).await, name) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let (mut containers, mut silent, mut left_out) = (BTreeMap::new(), Vec::new(), 0_u32);
    for (answer, name) in answers {
        match answer {
            Some(answer) => {
                left_out = left_out.saturating_add(answer.left_out);
                let wanted =
                    answer.containers.into_iter().filter(|c| worker.is_none_or(|worker| c.worker == *worker));
                containers.extend(wanted.map(|container| (container.id.clone(), container)));
            }
            None => silent.push(name),
        }
    }
    let mut containers: Vec<Container> = containers.into_values().collect();
    containers.sort_by_key(|container| std::cmp::Reverse(container.created_at));
    silent.sort();
    Ok(Found { containers, silent, left_out, alive })
}

async fn ask(bus: &Arc<dyn Bus>, worker: &WorkerName, all: bool) -> Option<Containers> {
    let question = serde_json::to_vec(&WorkerCall::Containers { all }).ok()?;
    match bus.request(&Address::Worker(worker.clone()), Bytes::from(question), PATIENCE).await {
        Ok(answer) => serde_json::from_slice(&answer)
            .inspect_err(|e| tracing::warn!(%worker, error = chain(e), "a worker's answer cannot be read"))
            .ok(),
        Err(error) => {
            tracing::debug!(%worker, error = chain(&error), "a worker did not say which containers it has");
            None
        }
    }
}
