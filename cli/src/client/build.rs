//! Builds of images.

use std::fs::File;

use orcaops_common::domain::build::BuildRequest;
use reqwest::Method;

use super::answer::{JobSubmit, Raw};
use super::error::ClientError;
use super::http::Client;
use super::retry::Patience;

impl Client {
    /// Sends a context and has it built. Tries again while the API can't be reached, which is safe as the build has an
    /// id.
    pub(crate) async fn build(
        &self,
        request: &BuildRequest,
        tar: &File,
    ) -> Result<Raw<JobSubmit>, ClientError> {
        debug_assert!(request.job_id.is_some(), "without an id a repetition would be a second job");
        let query = query(request);
        Patience::short()
            .retry(async || {
                let request = self.request(Method::POST, &["images", "build"]).query(&query);
                let response = self.send_tar(request, tar).await?;
                let bytes = response.bytes().await.map_err(|e| ClientError::of(&self.address(), &e))?;
                Raw::read(&self.address(), &bytes)
            })
            .await
    }
}

fn query(request: &BuildRequest) -> Vec<(&'static str, String)> {
    let BuildRequest {
        job_id,
        names,
        version,
        latest,
        dockerfile,
        args,
        push,
        registry_auth,
        pool,
        timeout,
        memory,
        cpu,
    } = request;
    let mut query = vec![("latest", latest.to_string()), ("push", push.to_string())];
    query.extend(names.iter().map(|name| ("name", name.clone())));
    query.extend(args.iter().map(|arg| ("arg", arg.clone())));
    for (parameter, value) in [
        ("job_id", job_id.clone()),
        ("version", version.clone()),
        ("dockerfile", dockerfile.clone()),
        ("registry_auth", registry_auth.clone()),
        ("pool", pool.clone()),
        ("timeout", timeout.map(|t| t.to_string())),
        ("memory", memory.clone()),
        ("cpu", cpu.map(|c| c.to_string())),
    ] {
        query.extend(value.map(|value| (parameter, value)));
    }
    query
}
