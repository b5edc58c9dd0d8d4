//! A running API over a store and a bus of its own.

use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::Duration;

use eventsource_stream::{Event, Eventsource};
use futures_util::{Stream, StreamExt};
use orcaops_api::{Api, ApiConfig};
use orcaops_common::bus::Bus;
use orcaops_common::bus::faulty::FaultyBus;
use orcaops_common::bus::in_process::InProcessBus;
use orcaops_common::domain::id::JobId;
use orcaops_common::domain::run::RunRecord;
use orcaops_common::store::Store;
use orcaops_common::store::sqlite::SqliteStore;
use reqwest::{Body, Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::faulty_store::FaultyStore;

/// How long a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks.
const GLANCE: Duration = Duration::from_millis(20);

/// Waits until `look` finds something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(GLANCE).await;
    }
}

/// A small spec that is valid.
pub(crate) fn spec(id: &str) -> Value {
    json!({"job_id": id, "sandbox": {"image": "img:1"}, "commands": [{"command": "true"}]})
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("not JSON: {e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }

    /// Checks that it is a problem document of that status and code, and gives it back.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(self.status.as_u16(), status, "{problem}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)), "{problem}");
        for field in ["type", "title", "detail", "request_id"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {problem}");
        }
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        problem
    }
}

/// A running API, and all that it runs on.
pub(crate) struct Fixture {
    pub(crate) api: Api,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) bus: Arc<FaultyBus>,
    pub(crate) folder: Arc<TempDir>,
    pub(crate) client: Client,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut ApiConfig)) -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), change).await
    }

    /// Starts over the store and the files in a folder, on a bus whose jobs and events are new.
    pub(crate) async fn start_in(folder: Arc<TempDir>, change: impl FnOnce(&mut ApiConfig)) -> Self {
        static TLS: Once = Once::new();
        TLS.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let store = SqliteStore::open(folder.path().join("orcaops.db")).await.unwrap();
        let store = Arc::new(FaultyStore::new(Arc::new(store)));
        let bus = InProcessBus::open(folder.path().join("bus")).unwrap();
        let bus = Arc::new(FaultyBus::new(Arc::new(bus)));
        let listen = "127.0.0.1:0".parse().unwrap();
        let mut config = ApiConfig::new(listen, folder.path().join("artifacts"));
        change(&mut config);
        let (for_api, bus_for_api): (Arc<dyn Store>, Arc<dyn Bus>) = (store.clone(), bus.clone());
        let api = Api::start(config, for_api, bus_for_api).await.unwrap();
        Self { api, store, bus, folder, client: Client::new() }
    }

    /// Another replica, over the same store, bus and files.
    pub(crate) async fn replica(&self) -> Self {
        let config = ApiConfig::new("127.0.0.1:0".parse().unwrap(), self.artifacts());
        let api = Api::start(config, self.store.clone(), self.bus.clone()).await.unwrap();
        let (store, bus, folder) = (self.store.clone(), self.bus.clone(), self.folder.clone());
        Self { api, store, bus, folder, client: Client::new() }
    }

    pub(crate) fn artifacts(&self) -> PathBuf {
        self.folder.path().join("artifacts")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api.address())
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        let mut request = self.client.request(method, self.url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::default()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, path, &headers, body.to_string().into()).await
    }

    pub(crate) async fn submit(&self, spec: &Value) -> JobId {
        let answer = self.post("/orcaops/jobs", spec).await;
        assert_eq!(answer.status, 201, "{}", answer.json());
        JobId::new(answer.json()["job_id"].as_str().unwrap()).unwrap()
    }

    pub(crate) async fn record(&self, job: &JobId) -> Value {
        self.get(&format!("/orcaops/jobs/{job}")).await.json()["record"].clone()
    }

    /// Waits until the run's record satisfies a condition.
    pub(crate) async fn record_when(&self, job: &JobId, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || Some(self.record(job).await).filter(|record| fits(record))).await
    }

    /// Waits until the mirror has written the run's files.
    pub(crate) async fn mirrored(&self, job: &JobId) {
        let generation = self.bus.generation().await.unwrap();
        let file = self.artifacts().join(job.as_str()).join("run.json");
        eventually("the mirror writes the run", async || {
            let waiting = self.store.unmirrored(&generation, 200).await.unwrap();
            let written =
                std::fs::read(&file).ok().and_then(|json| serde_json::from_slice::<RunRecord>(&json).ok());
            let is_final = written.is_some_and(|record| record.status.is_terminal());
            (is_final && waiting.iter().all(|(other, _)| other != job)).then_some(())
        })
        .await;
    }

    /// Opens a log stream.
    pub(crate) async fn events(
        &self,
        job: &JobId,
        query: &str,
        last_event_id: Option<&str>,
    ) -> impl Stream<Item = Event> + Unpin + use<> {
        let mut request = self.client.get(self.url(&format!("/orcaops/jobs/{job}/logs/stream{query}")));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Box::pin(response.bytes_stream().eventsource().map(|event| event.unwrap()))
    }

    /// Reads a log stream to its end: the lines with their ids, and the data of `done`.
    pub(crate) async fn log(
        &self,
        job: &JobId,
        query: &str,
        last: Option<&str>,
    ) -> (Vec<(String, String)>, Value) {
        let mut events = self.events(job, query, last).await;
        let read = async {
            let mut lines = Vec::new();
            while let Some(event) = events.next().await {
                let data: Value = serde_json::from_str(&event.data).unwrap();
                if event.event == "done" {
                    return (lines, data);
                }
                lines.push((event.id, data["line"].as_str().unwrap().to_owned()));
            }
            panic!("the stream ended without `done` after {lines:?}");
        };
        tokio::time::timeout(PATIENCE, read).await.expect("the stream ends")
    }
}

/// The next event, `None` at the stream's end, or a failure when neither comes.
pub(crate) async fn next_event(events: &mut (impl Stream<Item = Event> + Unpin)) -> Option<Event> {
    tokio::time::timeout(PATIENCE, events.next()).await.expect("an event or the end comes")
}

/// The next event's data.
pub(crate) async fn next_data(events: &mut (impl Stream<Item = Event> + Unpin)) -> Value {
    serde_json::from_str(&next_event(events).await.expect("an event comes").data).unwrap()
}
