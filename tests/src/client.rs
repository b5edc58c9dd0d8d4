//! A plain client of the API.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::wait::until;

/// The longest that a test waits for one job.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A client of one API replica.
#[derive(Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    /// A client of the API at `address`.
    pub fn new(address: &str) -> Self {
        // Twice is harmless: the first one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { base: format!("http://{address}"), http: reqwest::Client::new() }
    }

    /// Waits until the API is ready for jobs.
    pub async fn ready(&self) -> Result<()> {
        until("the API is ready", Duration::from_secs(60), async || {
            let url = format!("{}/readyz", self.base);
            self.http.get(url).send().await.is_ok_and(|r| r.status().is_success())
        })
        .await
    }

    /// GET of a path; status and body.
    pub async fn get(&self, path: &str) -> Result<(u16, Value)> {
        let response = self.http.get(format!("{}{path}", self.base)).send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// GET of a path's bytes; status and body.
    pub async fn bytes(&self, path: &str) -> Result<(u16, Vec<u8>)> {
        let response = self.http.get(format!("{}{path}", self.base)).send().await?;
        Ok((response.status().as_u16(), response.bytes().await?.to_vec()))
    }

    /// GET of a path in a format; the body of a good answer.
    pub async fn get_as(&self, path: &str, accept: &str) -> Result<Vec<u8>> {
        let request = self.http.get(format!("{}{path}", self.base)).header("Accept", accept);
        let response = request.send().await?.error_for_status()?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        ensure!(kind.is_some_and(|kind| kind.starts_with(accept)), "{kind:?} instead of {accept}");
        Ok(response.bytes().await?.to_vec())
    }

    /// POST of JSON; status and body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let response = self.http.post(format!("{}{path}", self.base)).json(body).send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// POST of a tar; status and body.
    pub async fn post_tar(&self, path: &str, tar: Vec<u8>) -> Result<(u16, Value)> {
        let request = self.http.post(format!("{}{path}", self.base));
        let response = request.header("content-type", "application/x-tar").body(tar).send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Submits a job; its id.
    pub async fn submit(&self, spec: &Value) -> Result<String> {
        let (status, body) = self.post("/orcaops/jobs", spec).await?;
        ensure!(status == 201 || status == 200, "{status}: {body}");
        Ok(body["job_id"].as_str().context("no job_id")?.to_owned())
    }

    /// Cancels a job.
    pub async fn cancel(&self, job: &str) -> Result<Value> {
        let (status, body) = self.post(&format!("/orcaops/jobs/{job}/cancel"), &json!({})).await?;
        ensure!(status == 200, "{status}: {body}");
        Ok(body)
    }

    /// A job's record.
    pub async fn record(&self, job: &str) -> Result<Value> {
        let (status, mut body) = self.get(&format!("/orcaops/jobs/{job}")).await?;
        ensure!(status == 200, "{status}: {body}");
        Ok(body["record"].take())
    }

    /// Waits until the record meets a condition; the record.
    pub async fn record_that(
        &self,
        job: &str,
        what: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut last = Value::Null;
        until(&format!("job {job} {what}"), PATIENCE, async || {
            // The API may be away for a moment, on purpose.
            match self.record(job).await {
                Ok(record) => {
                    last = record;
                    condition(&last)
                }
                Err(_) => false,
            }
        })
        .await
        .with_context(|| format!("{last:#}"))?;
        Ok(last)
    }

    /// Waits for a job's end; its record.
    pub async fn ended(&self, job: &str) -> Result<Value> {
        self.record_that(job, "ends", |r| !matches!(r["status"].as_str(), None | Some("queued" | "running")))
            .await
    }

    /// Waits until the job runs and has a container; its record.
    pub async fn running(&self, job: &str) -> Result<Value> {
        self.record_that(job, "runs", |r| r["status"] == "running" && r["sandbox_id"].is_string()).await
    }

    /// Submits a job and waits for its end; its record.
    pub async fn run(&self, spec: &Value) -> Result<Value> {
        let job = self.submit(spec).await?;
        self.ended(&job).await
    }

    /// Reads a job's log from the first line to the `done` event; the lines as JSON.
    pub async fn log(&self, job: &str) -> Result<Vec<Value>> {
        let mut lines = Vec::new();
        self.each_log_event(job, |event, data| {
            if event != "done" {
                lines.push(serde_json::from_str(data)?);
            }
            Ok(event == "done")
        })
        .await?;
        Ok(lines)
    }

    /// Reads a job's log to its end without looking into it; how many bytes of events came.
    pub async fn log_bytes(&self, job: &str) -> Result<u64> {
        let response = self.follow(job).await?;
        let (mut bytes, mut last) = (0, Vec::new());
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            bytes += piece.len() as u64;
            last.extend_from_slice(&piece);
            last.drain(..last.len().saturating_sub(1024));
        }
        ensure!(String::from_utf8_lossy(&last).contains("event: done"), "the log of {job} broke off");
        Ok(bytes)
    }

    async fn follow(&self, job: &str) -> Result<reqwest::Response> {
        let url = format!("{}/orcaops/jobs/{job}/logs/stream", self.base);
        let response = self.http.get(url).header("Last-Event-ID", "0-0").send().await?;
        ensure!(response.status().is_success(), "{}", response.status());
        Ok(response)
    }

    /// Calls `each` with name and data of every event of a job's log, until it says that this is enough.
    pub async fn each_log_event(
        &self,
        job: &str,
        mut each: impl FnMut(&str, &str) -> Result<bool>,
    ) -> Result<()> {
        use eventsource_stream::Eventsource as _;
        let mut events = self.follow(job).await?.bytes_stream().eventsource();
        while let Some(event) = events.next().await {
            let event = event?;
            if each(&event.event, &event.data)? {
                return Ok(());
            }
        }
        bail!("the log of {job} broke off")
    }
}

/// A spec that runs shell commands in the test image.
pub fn shell(commands: &[&str]) -> Value {
    let commands: Vec<Value> = commands.iter().map(|c| json!({ "command": c })).collect();
    json!({ "sandbox": { "image": crate::docker::test_image() }, "commands": commands })
}
