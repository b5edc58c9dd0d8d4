//! Images made: built from a context, named, pushed.

use std::collections::HashMap;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::body_try_stream;
use bollard::errors::Error;
use bollard::models::{BuildInfo, PushImageInfo};
use bollard::query_parameters::{BuildImageOptions, PushImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::StreamExt;
use orcaops_common::config::Credential;
use orcaops_common::domain::job::Resources;
use orcaops_common::domain::run::EndCause;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio_util::io::ReaderStream;

use super::connect::Engine;
use super::error::{EngineError, Failure};

/// How much of a context is read at once, in bytes.
const READ_BUFFER: usize = 256 * 1024;
/// How long the engine may take to receive a context until it says something. The job's time ends a build sooner.
const CONTEXT_PATIENCE: Duration = Duration::from_secs(60 * 60);
/// How long naming an image and looking at it may take.
const SHORT_PATIENCE: Duration = Duration::from_secs(60);
/// The length of the spans in which the engine measures processor time, in microseconds.
const CPU_PERIOD: i32 = 100_000;
/// The registry of images that name none, as engines call it where they keep passwords.
const DEFAULT_REGISTRY: &str = "https://index.docker.io/v1/";

/// An image to build.
pub(crate) struct BuildPlan {
    /// The Dockerfile's path within the context.
    pub(crate) dockerfile: String,
    /// The first of its names.
    pub(crate) tag: String,
    /// Values of `ARG`s.
    pub(crate) args: HashMap<String, String>,
    /// Limits of the containers that it is built in.
    pub(crate) resources: Resources,
    /// The network that they are in, as specs name it.
    pub(crate) network: String,
    /// What the registry of the base image is shown.
    pub(crate) credential: Option<Credential>,
}

/// What the engine says while it builds or pushes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BuildWord {
    /// What the builder and the commands in the Dockerfile print.
    Output(String),
    /// What becomes of a layer that is pulled or pushed.
    Progress(String),
    /// The image's id.
    Image(String),
}

/// Why there is no image.
#[derive(Debug)]
pub(crate) enum BuildFailure {
    /// The builder or the registry says no: the Dockerfile's own fault, or that of who wrote it.
    Refused(String),
    /// The engine failed.
    Engine(EngineError),
}

impl Engine {
    /// Builds an image from a tar, and says in `words` what happens. Dropped, it breaks the build off, and the engine
    /// removes its containers.
    pub(crate) async fn build(
        &self,
        plan: BuildPlan,
        context: impl AsyncRead + Send + 'static,
        words: mpsc::Sender<BuildWord>,
    ) -> Result<(), BuildFailure> {
        let network = self.network(&plan.network).await.map_err(BuildFailure::Engine)?.to_owned();
        // That it fits is checked where the build is asked for.
        let memory = plan.resources.memory.map(|memory| i32::try_from(memory).unwrap_or(i32::MAX));
        #[expect(clippy::cast_possible_truncation, reason = "validated: at most 1024 CPUs")]
        let quota = plan.resources.cpu.map(|cpu| (cpu * f64::from(CPU_PERIOD)).round() as i32);
        let options = BuildImageOptions {
            dockerfile: plan.dockerfile,
            t: Some(plan.tag),
            rm: true,
            // Also when a step fails.
            forcerm: true,
            memory,
            // No swap: the limit is the limit.
            memswap: memory,
            cpuperiod: quota.map(|_| CPU_PERIOD),
            cpuquota: quota,
            buildargs: Some(plan.args),
            networkmode: Some(network.clone()),
            ..BuildImageOptions::default()
        };
        let credentials = plan.credential.as_ref().map(|credential| {
            HashMap::from([(registry_key(&credential.server), docker_credentials(credential))])
        });
        let body = body_try_stream(ReaderStream::with_capacity(context, READ_BUFFER));
        let docker = self.docker.clone().with_timeout(CONTEXT_PATIENCE);
        let mut said = std::pin::pin!(docker.build_image(options, credentials, Some(body)));
        while let Some(info) = said.next().await {
            let word = match info {
                Ok(info) => built(info),
                Err(error) => {
                    let failure = failure("build the image", &error);
                    return Err(self.unless_network_is_gone(failure, &network).await);
                }
            };
            say(&words, word).await;
        }
        Ok(())
    }

    /// A network that was removed under us is made again for the next attempt.
    async fn unless_network_is_gone(&self, failure: BuildFailure, network: &str) -> BuildFailure {
        match failure {
            BuildFailure::Refused(reason) if reason.contains(&format!("network {network} not found")) => {
                self.look_again().await;
                BuildFailure::Engine(EngineError::Failed {
                    what: "build the image".to_owned(),
                    reason,
                    failure: Failure::Transient(EndCause::Engine),
                })
            }
            other => other,
        }
    }

    /// Gives an image a further name.
    pub(crate) async fn tag(&self, image: &str, tag: &str) -> Result<(), EngineError> {
        let (name, version) = split(tag);
        let options = TagImageOptionsBuilder::default().repo(name).tag(version).build();
        let what = format!("name the image {tag}");
        match tokio::time::timeout(SHORT_PATIENCE, self.docker.tag_image(image, Some(options))).await {
            Ok(named) => named.map_err(|e| EngineError::of(what, &e)),
            Err(_) => Err(EngineError::silent(&what, SHORT_PATIENCE)),
        }
    }

    /// An image's id and its size in bytes.
    pub(crate) async fn image(&self, image: &str) -> Result<(String, u64), EngineError> {
        let what = "look at the image";
        let inspected = tokio::time::timeout(SHORT_PATIENCE, self.docker.inspect_image(image)).await;
        let inspected = inspected.map_err(|_| EngineError::silent(what, SHORT_PATIENCE))?;
        let inspected = inspected.map_err(|e| EngineError::of(what, &e))?;
        let size = inspected.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        Ok((inspected.id.unwrap_or_default(), size))
    }

    /// Pushes an image to where its name says, and says in `words` what happens. Dropped, it breaks the push off.
    pub(crate) async fn push(
        &self,
        tag: &str,
        credential: Option<&Credential>,
        words: mpsc::Sender<BuildWord>,
    ) -> Result<(), BuildFailure> {
        let (name, version) = split(tag);
        let options = PushImageOptionsBuilder::default().tag(version).build();
        let docker = self.docker.clone().with_timeout(CONTEXT_PATIENCE);
        let mut said =
            std::pin::pin!(docker.push_image(name, Some(options), credential.map(docker_credentials)));
        while let Some(info) = said.next().await {
            let word = info.map(pushed).map_err(|e| failure(&format!("push the image {tag}"), &e))?;
            say(&words, word).await;
        }
        Ok(())
    }
}

async fn say(words: &mpsc::Sender<BuildWord>, word: Option<BuildWord>) {
    if let Some(word) = word {
        // Who does not listen any more drops the build, too.
        let _ = words.send(word).await;
    }
}

fn built(info: BuildInfo) -> Option<BuildWord> {
    if let Some(id) = info.aux.and_then(|image| image.id) {
        return Some(BuildWord::Image(id));
    }
    if let Some(output) = info.stream {
        return Some(BuildWord::Output(output));
    }
    let status = info.status?;
    // Only its beginning and its end are worth a line.
    if info.progress_detail.is_some_and(|progress| progress.current.is_some()) {
        return None;
    }
    Some(BuildWord::Progress(match info.id {
        Some(layer) => format!("{layer}: {status}"),
        None => status,
    }))
}

fn pushed(info: PushImageInfo) -> Option<BuildWord> {
    if info.progress_detail.is_some_and(|progress| progress.current.is_some()) {
        return None;
    }
    info.status.map(BuildWord::Progress)
}

fn failure(what: &str, error: &Error) -> BuildFailure {
    match error {
        Error::DockerStreamError { error } => BuildFailure::Refused(error.trim().to_owned()),
        Error::DockerResponseServerError { status_code: 400..=499, message } => {
            BuildFailure::Refused(message.trim().to_owned())
        }
        other => BuildFailure::Engine(EngineError::of(what, other)),
    }
}

/// Name and version of a tag, which always has one.
fn split(tag: &str) -> (&str, &str) {
    tag.rsplit_once(':').unwrap_or((tag, "latest"))
}

fn docker_credentials(credential: &Credential) -> DockerCredentials {
    DockerCredentials {
        username: Some(credential.username.clone()),
        password: Some(credential.password.clone()),
        serveraddress: Some(registry_key(&credential.server)),
        ..DockerCredentials::default()
    }
}

/// A registry as engines call it where they keep passwords: its host, and the first one by an address of its own.
fn registry_key(server: &str) -> String {
    let host =
        server.split_once("://").map_or(server, |(_, rest)| rest).split('/').next().unwrap_or_default();
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => {
            DEFAULT_REGISTRY.to_owned()
        }
        host => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    #[test]
    fn what_the_builder_says_becomes_words() {
        let output = BuildInfo { stream: Some("Step 1".to_owned()), ..BuildInfo::default() };
        assert_eq!(built(output), Some(BuildWord::Output("Step 1".to_owned())));
        let layer = |current| BuildInfo {
            id: Some("abc".to_owned()),
            status: Some("Downloading".to_owned()),
            progress_detail: Some(ProgressDetail { current, total: None }),
            ..BuildInfo::default()
        };
        assert_eq!(built(layer(None)), Some(BuildWord::Progress("abc: Downloading".to_owned())));
        assert_eq!(built(layer(Some(7))), None, "a line for each bit would be too many");
        assert_eq!(built(BuildInfo::default()), None);
    }

    #[test]
    fn the_builders_own_no_is_not_the_engines_failure() {
        let said = Error::DockerStreamError { error: "the command returned 3\n".to_owned() };
        assert!(
            matches!(failure("build", &said), BuildFailure::Refused(reason) if reason == "the command returned 3")
        );
        let syntax = Error::DockerResponseServerError { status_code: 400, message: "parse error".to_owned() };
        assert!(matches!(failure("build", &syntax), BuildFailure::Refused(_)));
        let broken = Error::DockerResponseServerError { status_code: 500, message: "oops".to_owned() };
        assert!(matches!(failure("build", &broken), BuildFailure::Engine(_)));
    }

    #[test]
    fn a_registry_is_called_as_engines_call_it() {
        for (server, key) in [
            ("https://registry.corp:5000/v2/", "registry.corp:5000"),
            ("registry.corp", "registry.corp"),
            ("docker.io", DEFAULT_REGISTRY),
            ("https://index.docker.io/v1/", DEFAULT_REGISTRY),
        ] {
            assert_eq!(registry_key(server), key);
        }
    }
}
