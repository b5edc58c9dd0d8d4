//! Containers of jobs: made, started, kept, removed, listed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerCreateResponse, ContainerSummary};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, KillContainerOptions,
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
};
use futures_util::StreamExt;
use orcaops_init::message::Hello;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::body::body;
use super::connect::Engine;
use super::error::{EngineError, status};
use super::plan::{ContainerPlan, label};
use super::session::Session;
use super::words;

/// Where init lies in every container.
pub(super) const INIT_FOLDER: &str = "/.orcaops";
/// How long making a container may take, the volume of init and the network included.
const CREATE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long starting one may take until its init runs.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a removal may take until the container counts as leaked.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(30);
const REMOVAL_POLL: Duration = Duration::from_millis(50);
/// How long the init of a container that is to be kept may take to end everything in it.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// Stands before the names of containers that are kept. The engine lets no label be changed, and what is kept
/// must be told from what its worker died over.
const KEPT: &str = "kept-";

/// How an image would be run by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageConfig {
    /// Its user, if it names one.
    pub(crate) user: Option<String>,
    /// Its entrypoint and its command; empty when it has neither.
    pub(crate) command: Vec<String>,
    /// Its working folder, if it names one.
    pub(crate) workdir: Option<String>,
}

impl Engine {
    /// Makes a container, not started. `None` when the image is not on this host. One that the engine makes when nobody
    /// waits for it any more is removed.
    pub(crate) async fn create(
        self: &Arc<Self>,
        plan: &ContainerPlan,
    ) -> Result<Option<String>, EngineError> {
        let deadline = Instant::now() + CREATE_TIMEOUT;
        let silent = || EngineError::silent("create a container", CREATE_TIMEOUT);
        let body = timeout_at(deadline, self.prepare(plan)).await.map_err(|_| silent())??;
        let Some(body) = body else { return Ok(None) };
        let name = format!(
            "orcaops-{}-{}-{:06x}",
            plan.labels.attempt.job_id,
            plan.labels.attempt.attempt,
            uuid::Uuid::new_v4().as_u128() & 0xff_ffff
        );
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let docker = self.docker.clone();
        let mut making = tokio::spawn(async move { docker.create_container(Some(options), body).await });
        let Ok(made) = timeout_at(deadline, &mut making).await else {
            tokio::spawn(Arc::clone(self).remove_late(making));
            return Err(silent());
        };
        match made.map_err(|e| EngineError::Session(e.to_string()))? {
            Ok(created) => Ok(Some(created.id)),
            Err(e) => timeout_at(deadline, self.refused(plan, &e)).await.unwrap_or_else(|_| Err(silent())),
        }
    }

    /// What the engine is to make; `None` when the image is not on this host.
    async fn prepare(&self, plan: &ContainerPlan) -> Result<Option<ContainerCreateBody>, EngineError> {
        let volume = match self.init_volume(&plan.image, &plan.labels.fleet).await {
            Ok(volume) => volume,
            Err(_) if !self.has_image(&plan.image).await => return Ok(None),
            Err(e) => return Err(e),
        };
        Ok(Some(body(plan, &volume, self.network(&plan.network).await?)))
    }

    /// What it means that the engine did not make a container.
    async fn refused(
        &self,
        plan: &ContainerPlan,
        error: &bollard::errors::Error,
    ) -> Result<Option<String>, EngineError> {
        if status(error) == Some(404) && !self.has_image(&plan.image).await {
            return Ok(None);
        }
        self.look_again().await;
        Err(explained(plan, &format!("create a container of {}", plan.image), error))
    }

    /// Waits for a container as long as the driver does, and removes it. What is made later still, or when this worker
    /// has ended, the sweeper finds by its labels.
    async fn remove_late(
        self: Arc<Self>,
        making: JoinHandle<Result<ContainerCreateResponse, bollard::errors::Error>>,
    ) {
        let Ok(Ok(ContainerCreateResponse { id, .. })) = making.await else { return };
        if self.remove(&id).await {
            tracing::info!(container.id = id, "a container that came too late was removed");
        } else {
            tracing::error!(
                container.id = id,
                "a container that came too late could not be removed; the sweeper will try"
            );
        }
    }

    /// Attaches to a container, starts it and greets its init.
    pub(crate) async fn start(
        &self,
        container: &str,
        plan: &ContainerPlan,
        hello: Hello,
    ) -> Result<Session, EngineError> {
        let started = async {
            let options = AttachContainerOptionsBuilder::default()
                .stream(true)
                .stdin(true)
                .stdout(true)
                .stderr(true)
                .build();
            let attached = self
                .docker
                .attach_container(container, Some(options))
                .await
                .map_err(|e| EngineError::of("attach to the container", &e))?;
            if let Err(e) = self.docker.start_container(container, None).await {
                self.look_again().await;
                return Err(explained(plan, "start the container", &e));
            }
            Ok(attached)
        };
        let attached = timeout(START_TIMEOUT, started)
            .await
            .unwrap_or_else(|_| Err(EngineError::silent("start the container", START_TIMEOUT)))?;
        Session::open(attached, plan.lease, hello).await
    }

    /// What the container's image says of how it is to be run.
    pub(crate) async fn image_config(&self, container: &str) -> Result<ImageConfig, EngineError> {
        let failed = |e| EngineError::of("look up the image's configuration", &e);
        let image = self.docker.inspect_container(container, None).await.map_err(failed)?.image;
        let image = self.docker.inspect_image(&image.unwrap_or_default()).await.map_err(failed)?;
        let config = image.config.unwrap_or_default();
        let command = [config.entrypoint.unwrap_or_default(), config.cmd.unwrap_or_default()].concat();
        Ok(ImageConfig {
            user: config.user.filter(|user| !user.is_empty()),
            command,
            workdir: config.working_dir.filter(|folder| !folder.is_empty()),
        })
    }

    /// Keeps a container whose session has ended: waits until nothing runs in it any more, and marks it as kept.
    /// `false` when that can't be done.
    pub(crate) async fn keep(&self, container: &str) -> bool {
        if timeout(END_PATIENCE, self.end(container)).await.is_err() {
            tracing::warn!(container.id = container, "init did not end a container; it is killed");
            if let Err(e) = self.docker.kill_container(container, None::<KillContainerOptions>).await {
                tracing::warn!(container.id = container, error = %e, "cannot kill a container");
            }
        }
        let marked = async {
            let inspected = self.docker.inspect_container(container, None).await?;
            if inspected.state.and_then(|state| state.running).unwrap_or(true) {
                return Ok(false);
            }
            let name = inspected.name.unwrap_or_default();
            let name = format!("{KEPT}{}", name.trim_start_matches('/'));
            let options = RenameContainerOptionsBuilder::default().name(&name).build();
            self.docker.rename_container(container, options).await.map(|()| true)
        };
        timeout(END_PATIENCE, marked).await.unwrap_or(Ok(false)).unwrap_or_else(|e| {
            tracing::warn!(container.id = container, error = %e, "cannot keep a container");
            false
        })
    }

    /// Waits until a container runs no more. An exit code other than 0 is an error to the driver.
    async fn end(&self, container: &str) {
        let mut ends = std::pin::pin!(self.docker.wait_container(container, None));
        while ends.next().await.is_some() {}
    }

    /// Removes a container and waits until it is gone; `false` when it is not.
    pub(crate) async fn remove(&self, container: &str) -> bool {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let gone = async {
            loop {
                match self.docker.remove_container(container, Some(options.clone())).await {
                    Ok(()) => return,
                    Err(e) if status(&e) == Some(404) => return,
                    // 409: the engine is removing it already, because its init has ended.
                    Err(e) if status(&e) == Some(409) => {}
                    // It may be gone for all that: the engine removes by itself what has ended.
                    Err(e) => match self.docker.inspect_container(container, None).await {
                        Err(e) if status(&e) == Some(404) => return,
                        _ => {
                            tracing::warn!(container.id = container, error = %e, "cannot remove a container")
                        }
                    },
                }
                tokio::time::sleep(REMOVAL_POLL).await;
            }
        };
        tokio::time::timeout(REMOVAL_PATIENCE, gone).await.is_ok()
    }

    /// All containers of a fleet, running or not.
    pub(crate) async fn containers(&self, fleet: &str) -> Result<Vec<Container>, EngineError> {
        let filters = HashMap::from([("label", vec![format!("{}={fleet}", label::FLEET)])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let list = self
            .docker
            .list_containers(Some(options))
            .await
            .map_err(|e| EngineError::of("list containers", &e))?;
        Ok(list.into_iter().filter_map(Container::new).collect())
    }
}

/// A container, as a list of the engine's shows it.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    /// Its id.
    pub(crate) id: String,
    /// Its names.
    pub(crate) names: Vec<String>,
    /// Its image, as whoever made it named it.
    pub(crate) image: String,
    /// Whether it runs.
    pub(crate) is_running: bool,
    /// The engine's words for how it is.
    pub(crate) status: String,
    /// Its labels.
    pub(crate) labels: HashMap<String, String>,
}

impl Container {
    fn new(summary: ContainerSummary) -> Option<Self> {
        let names = summary.names.unwrap_or_default();
        Some(Self {
            id: summary.id?,
            names: names.iter().map(|name| name.trim_start_matches('/').to_owned()).collect(),
            image: summary.image.unwrap_or_default(),
            is_running: summary.state.is_some_and(|state| state.as_ref() == "running"),
            status: summary.status.unwrap_or_default(),
            labels: summary.labels?,
        })
    }

    /// Whether its job's end let it be kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.names.iter().any(|name| name.starts_with(KEPT))
    }
}

fn explained(plan: &ContainerPlan, what: &str, error: &bollard::errors::Error) -> EngineError {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => {
            words::at_fault(plan, what, message).unwrap_or_else(|| EngineError::of(what, error))
        }
        _ => EngineError::of(what, error),
    }
}
