//! Pulls: one at a time of each image, whoever waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;
use orcaops_common::config::Credential;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::connect::Engine;
use super::error::EngineError;
use super::image::split_reference;
use super::progress::Layers;

/// The longest that one pull may take; a job's TTL may end its waiting sooner.
const PULL_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// What to pull.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    /// The image.
    pub(crate) image: String,
    /// The name of the credential to show, if any.
    pub(crate) credential: Option<String>,
    /// Whether to ask the registry also when the image is on the host.
    pub(crate) always: bool,
}

/// How a pull stands.
#[derive(Debug, Default)]
struct State {
    layers: Layers,
    /// The last word: what was pulled, in words, or why not.
    result: Option<Result<String, EngineError>>,
}

/// The pulls that somebody waits for.
#[derive(Debug, Default)]
pub(super) struct Pulls(Mutex<HashMap<Wanted, Weak<Shared>>>);

#[derive(Debug)]
struct Shared {
    state: watch::Receiver<State>,
    /// Ends when nobody waits any more. The engine is told so by the end of the request; a transfer that hangs it
    /// may keep up by itself.
    _task: AbortOnDropHandle<()>,
}

/// A pull that is waited for. Dropping it lets go; with the last one the pull itself ends.
#[derive(Debug)]
pub(crate) struct Pull {
    state: watch::Receiver<State>,
    _shared: Arc<Shared>,
}

impl Engine {
    /// Pulls an image, or joins those who wait for the same already.
    pub(crate) fn pull(&self, wanted: &Wanted, credential: Option<&Credential>) -> Pull {
        let mut pulls = self.pulls.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = pulls.get(wanted).and_then(Weak::upgrade).filter(|p| p.state.borrow().result.is_none());
        let shared = running.unwrap_or_else(|| {
            let (sender, state) = watch::channel(State::default());
            let credential = credential.map(|credential| DockerCredentials {
                username: Some(credential.username.clone()),
                password: Some(credential.password.clone()),
                serveraddress: Some(credential.server.clone()),
                ..Default::default()
            });
            let (docker, what) = (self.docker.clone(), wanted.clone());
            let task = AbortOnDropHandle::new(tokio::spawn(async move {
                let result = timeout(PULL_TIMEOUT, pull(&docker, &what, credential, &sender)).await;
                let result = result.unwrap_or_else(|_| {
                    let reason = format!("not done within {} s", PULL_TIMEOUT.as_secs());
                    Err(EngineError::pull(&what.image, what.credential.as_deref(), &reason))
                });
                sender.send_modify(|state| state.result = Some(result));
            }));
            Arc::new(Shared { state, _task: task })
        });
        pulls.retain(|_, pull| pull.strong_count() > 0);
        pulls.insert(wanted.clone(), Arc::downgrade(&shared));
        Pull { state: shared.state.clone(), _shared: shared }
    }
}

impl Pull {
    /// Waits for its end: what was pulled, in words. Cancel safe.
    pub(crate) async fn done(&mut self) -> Result<String, EngineError> {
        let broken = || EngineError::Session("the pull of its image broke off".to_owned());
        let state = self.state.wait_for(|state| state.result.is_some()).await.map_err(|_| broken())?;
        state.result.clone().unwrap_or_else(|| Err(broken()))
    }

    /// How far it is, in words, once there is something to say.
    pub(crate) fn progress(&self) -> Option<String> {
        self.state.borrow().layers.words()
    }
}

async fn pull(
    docker: &Docker,
    wanted: &Wanted,
    credential: Option<DockerCredentials>,
    state: &watch::Sender<State>,
) -> Result<String, EngineError> {
    let image = &wanted.image;
    if !wanted.always && docker.inspect_image(image).await.is_ok() {
        return Ok(format!("image {image} is here now"));
    }
    let began = Instant::now();
    let (name, tag) = split_reference(image);
    let mut options = CreateImageOptionsBuilder::default().from_image(name);
    if let Some(tag) = tag {
        options = options.tag(tag);
    }
    docker
        .create_image(Some(options.build()), None, credential)
        .try_for_each(|news| {
            state.send_modify(|state| state.layers.take(&news));
            async { Ok(()) }
        })
        .await
        .map_err(|error| EngineError::pull(image, wanted.credential.as_deref(), &engine_words(&error)))?;
    Ok(state.borrow().layers.summary(image, began.elapsed()))
}

fn engine_words(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.clone(),
        bollard::errors::Error::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    }
}
