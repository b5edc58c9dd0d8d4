//! OrcaOps' own containers on the hosts of its workers.

use std::sync::Arc;

use orcaops_common::bus::Bus;
use orcaops_common::domain::container::Container;
use orcaops_common::domain::id::{InvalidName, WorkerName};
use orcaops_common::store::Store;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use crate::containers::find;
use crate::openapi::Tag;
use crate::problem::{Kind, Problem};

/// Containers of all workers that are alive.
#[derive(Object)]
struct ContainerListResponse {
    /// The containers, newest first.
    containers: Vec<Container>,
    /// How many these are.
    count: u64,
    /// Workers that are alive and did not answer in time: their containers are missing here.
    silent_workers: Vec<WorkerName>,
    /// How many more there are that no answer had room for.
    left_out: u32,
}

pub(crate) struct ContainersApi;

#[OpenApi(prefix_path = "/orcaops", tag = "Tag::Containers")]
impl ContainersApi {
    /// List the containers that OrcaOps made
    ///
    /// Those of jobs that run, on the hosts of all workers that are alive. Other containers of these hosts are
    /// not listed.
    #[oai(path = "/ps", method = "get", operation_id = "list_containers")]
    async fn list(
        &self,
        /// Also those that do not run: kept ones, and those that are about to be removed.
        #[oai(default)]
        all: Query<bool>,
        /// Only those that this worker made.
        worker: Query<Option<String>>,
        store: Data<&Arc<dyn Store>>,
        bus: Data<&Arc<dyn Bus>>,
    ) -> Result<Json<ContainerListResponse>, Problem> {
        let worker = worker.0.map(WorkerName::new).transpose().map_err(|InvalidName(reason)| {
            Problem::new(Kind::InvalidParameter, format!("failed to parse parameter `worker`: {reason}"))
        })?;
        let found = find(&**store.0, bus.0, all.0, worker.as_ref()).await?;
        if let Some(worker) = worker.filter(|w| !found.alive.contains(w) && found.containers.is_empty()) {
            let alive: Vec<_> = found.alive.iter().map(ToString::to_string).collect();
            let others = if alive.is_empty() { "none is".to_owned() } else { alive.join(", ") };
            let detail = format!("no worker `{worker}` is alive, and no container is its; alive: {others}");
            return Err(Problem::new(Kind::WorkerNotFound, detail));
        }
        Ok(Json(ContainerListResponse {
            count: found.containers.len() as u64,
            containers: found.containers,
            silent_workers: found.silent,
            left_out: found.left_out,
        }))
    }
}
