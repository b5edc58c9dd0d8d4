//! Whether the service works.

use std::sync::Arc;
use std::time::Duration;

use orcaops_common::bus::Bus;
use orcaops_common::store::Store;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use crate::openapi::Tag;
use crate::problem::{Kind, Problem};

/// How long store and bus have to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The state of the service.
#[derive(Object)]
struct HealthResponse {
    /// `ok`, or `ready`.
    status: String,
}

pub(crate) struct HealthApi;

#[OpenApi(tag = "Tag::Health")]
impl HealthApi {
    /// Whether the process lives
    #[oai(path = "/healthz", method = "get", operation_id = "health")]
    async fn health(&self) -> Result<Json<HealthResponse>, Problem> {
        Ok(Json(HealthResponse { status: "ok".to_owned() }))
    }

    /// Whether store and bus can be reached
    #[oai(path = "/readyz", method = "get", operation_id = "readiness")]
    async fn readiness(
        &self,
        store: Data<&Arc<dyn Store>>,
        bus: Data<&Arc<dyn Bus>>,
    ) -> Result<Json<HealthResponse>, Problem> {
        let (store, bus) = tokio::join!(answer("the database", store.ping()), answer("the bus", bus.ping()));
        let trouble: Vec<String> = [store, bus].into_iter().filter_map(Result::err).collect();
        if trouble.is_empty() {
            return Ok(Json(HealthResponse { status: "ready".to_owned() }));
        }
        Err(Problem::new(Kind::NotReady, trouble.join("; ")))
    }
}

/// Says in words why something can't be reached. The words name its address, without credentials.
async fn answer<E: std::error::Error>(
    what: &str,
    ping: impl Future<Output = Result<(), E>>,
) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, ping).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("{what} did not answer within {} s", PATIENCE.as_secs())),
    }
}
