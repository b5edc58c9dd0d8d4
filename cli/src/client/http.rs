//! Requests and answers.

use std::time::Duration;

use orcaops_common::config::without_credentials;
use orcaops_common::domain::id::WorkerName;
use orcaops_common::domain::job::JobSpec;
use orcaops_common::domain::run::JobStatus;
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;

use super::answer::{ArtifactList, ContainerList, JobCancel, JobList, JobStatusAnswer, JobSubmit, Raw};
use super::error::{ClientError, Problem};
use super::retry::Patience;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer that is no stream may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of an error that is no problem document is looked at, in bytes.
const MAX_ERROR: usize = 1024 * 1024;

/// A client of one API. Clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: Url,
    key: Option<String>,
    http: reqwest::Client,
}

impl Client {
    /// A client of the API at `address`.
    pub(crate) fn new(address: &str, key: Option<&str>) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address { address: without_credentials(address) };
        let mut base = Url::parse(address).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong());
        }
        // Paths are put below it.
        base.set_path(&format!("{}/", base.path().trim_end_matches('/')));
        base.set_query(None);
        base.set_fragment(None);
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("orcaops/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT);
        if is_loopback(&base) {
            // A proxy of the environment can't reach this machine's own address.
            http = http.no_proxy();
        }
        if base.scheme() == "http" {
            // A machine without certificates can do without them here.
            http = http.tls_certs_only([]);
        }
        let http = http.build().map_err(|e| ClientError::of(address, &e))?;
        Ok(Self { base, key: key.map(ToOwned::to_owned), http })
    }

    /// The API's address, as it may be shown.
    pub(crate) fn address(&self) -> String {
        without_credentials(self.base.as_str().trim_end_matches('/'))
    }

    /// Submits a job. Tries again while the API can't be reached, which is safe as the spec has an id.
    pub(crate) async fn submit(&self, spec: &JobSpec) -> Result<Raw<JobSubmit>, ClientError> {
        debug_assert!(spec.job_id.is_some(), "without an id a repetition would be a second job");
        Patience::short()
            .retry(async || self.json(self.request(Method::POST, &["jobs"]).json(spec)).await)
            .await
    }

    /// Where a job stands.
    pub(crate) async fn status(&self, job: &str) -> Result<Raw<JobStatusAnswer>, ClientError> {
        self.json(self.request(Method::GET, &["jobs", job])).await
    }

    /// The newest jobs.
    pub(crate) async fn list(
        &self,
        status: Option<JobStatus>,
        limit: u32,
    ) -> Result<Raw<JobList>, ClientError> {
        let mut request = self.request(Method::GET, &["jobs"]).query(&[("limit", limit)]);
        if let Some(status) = status {
            request = request.query(&[("status", status.as_str())]);
        }
        self.json(request).await
    }

    /// Cancels a job.
    pub(crate) async fn cancel(&self, job: &str) -> Result<Raw<JobCancel>, ClientError> {
        self.json(self.request(Method::POST, &["jobs", job, "cancel"])).await
    }

    /// The files that a job left behind.
    pub(crate) async fn artifacts(&self, job: &str) -> Result<Raw<ArtifactList>, ClientError> {
        self.json(self.request(Method::GET, &["jobs", job, "artifacts"])).await
    }

    /// The containers that OrcaOps made; without `all`, those that run.
    pub(crate) async fn containers(
        &self,
        all: bool,
        worker: Option<&WorkerName>,
    ) -> Result<Raw<ContainerList>, ClientError> {
        let mut request = self.request(Method::GET, &["ps"]).query(&[("all", all)]);
        if let Some(worker) = worker {
            request = request.query(&[("worker", worker.as_str())]);
        }
        self.json(request).await
    }

    /// Whether the API's process is well.
    pub(crate) async fn health(&self) -> Result<(), ClientError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}healthz", url.path()));
        self.send(self.authorised(self.http.get(url)).timeout(CONNECT_TIMEOUT)).await.map(drop)
    }

    /// A request to a path below `/orcaops`, given by its segments.
    pub(super) fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("orcaops").extend(segments);
        }
        self.authorised(self.http.request(method, url))
    }

    /// Sends a request. Only an answer that says success is one.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|e| ClientError::of(&self.address(), &e))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let small = response.content_length().is_none_or(|length| length <= MAX_ERROR as u64);
        let body = if small { response.bytes().await.unwrap_or_default() } else { bytes::Bytes::new() };
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(ClientError::Problem(problem)),
            Err(_) => Err(ClientError::Alien { address: self.address(), status: status.as_u16() }),
        }
    }

    /// Sends a request whose answer is JSON.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<Raw<T>, ClientError> {
        let response = self.send(request.timeout(ANSWER_TIMEOUT)).await?;
        let bytes = response.bytes().await.map_err(|e| ClientError::of(&self.address(), &e))?;
        Raw::read(&self.address(), &bytes)
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Result<Client, ClientError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::new(address, None)
    }

    fn url(base: &str, segments: &[&str]) -> String {
        client(base).unwrap().request(Method::GET, segments).build().unwrap().url().to_string()
    }

    #[test]
    fn paths_are_put_below_the_address_and_names_are_encoded() {
        assert_eq!(url("http://h:1", &["jobs", "a"]), "http://h:1/orcaops/jobs/a");
        assert_eq!(url("https://h/ci/", &["jobs"]), "https://h/ci/orcaops/jobs");
        let file = ["jobs", "a", "artifacts", "out", "a b%?#.txt"];
        assert_eq!(url("http://h", &file), "http://h/orcaops/jobs/a/artifacts/out/a%20b%25%3F%23.txt");
    }

    #[test]
    fn what_is_no_address_is_refused_with_advice() {
        for bad in ["localhost:8000", "ci", "ftp://x", "http://"] {
            let error = client(bad).unwrap_err().to_string();
            assert!(error.contains("http://host:port"), "{bad}: {error}");
        }
    }

    #[test]
    fn credentials_in_an_address_never_show() {
        assert_eq!(client("http://me:secret@h:1").unwrap().address(), "http://***@h:1");
    }
}
