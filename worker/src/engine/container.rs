//! Containers of jobs: made, started, removed, listed.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder,
};
use chrono::{DateTime, Utc};
use orcaops_common::domain::control::RunningAttempt;
use orcaops_common::domain::id::WorkerName;
use orcaops_common::domain::job::Resources;
use orcaops_init::message::Hello;

use super::connect::Engine;
use super::error::{EngineError, status};
use super::session::Session;

/// Where init lies in every container.
pub(super) const INIT_FOLDER: &str = "/.orcaops";
/// Processes and threads of a job that names no limit.
const DEFAULT_PIDS: i64 = 1024;
/// What root may do in a container: enough for package managers and dropping privileges, nothing that
/// reaches the host.
const CAPABILITIES: [&str; 8] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"];
/// How long a removal may take until the container counts as leaked.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(30);
const REMOVAL_POLL: Duration = Duration::from_millis(50);

/// The labels' names.
pub(crate) mod label {
    /// The job.
    pub(crate) const JOB: &str = "orcaops.job_id";
    /// Its TTL in seconds.
    pub(crate) const TTL: &str = "orcaops.ttl";
    /// When the container was made, RFC 3339.
    pub(crate) const CREATED_AT: &str = "orcaops.created_at";
    /// The fleet.
    pub(crate) const FLEET: &str = "orcaops.fleet";
    /// The worker.
    pub(crate) const WORKER: &str = "orcaops.worker";
    /// The attempt, as `dispatch.delivery`.
    pub(crate) const ATTEMPT: &str = "orcaops.attempt";
    /// When any worker of the fleet may remove it, in seconds since 1970.
    pub(crate) const EXPIRES_AT: &str = "orcaops.expires_at";
}

/// What a container's labels say.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    /// The attempt it was made for.
    pub(crate) attempt: RunningAttempt,
    /// The job's TTL in seconds.
    pub(crate) ttl_seconds: u32,
    /// The fleet.
    pub(crate) fleet: String,
    /// The worker.
    pub(crate) worker: WorkerName,
    /// When any worker of the fleet may remove it.
    pub(crate) expires_at: DateTime<Utc>,
}

impl Labels {
    fn map(&self) -> HashMap<String, String> {
        HashMap::from([
            (label::JOB.to_owned(), self.attempt.job_id.to_string()),
            (label::TTL.to_owned(), self.ttl_seconds.to_string()),
            (label::CREATED_AT.to_owned(), Utc::now().to_rfc3339()),
            (label::FLEET.to_owned(), self.fleet.clone()),
            (label::WORKER.to_owned(), self.worker.to_string()),
            (label::ATTEMPT.to_owned(), self.attempt.attempt.to_string()),
            (label::EXPIRES_AT.to_owned(), self.expires_at.timestamp().to_string()),
        ])
    }

    /// Labels of a container that serves no job and lives for seconds.
    pub(super) fn helper(fleet: &str, life: Duration) -> HashMap<String, String> {
        let expires_at = Utc::now().timestamp() + i64::try_from(life.as_secs()).unwrap_or(i64::MAX / 2);
        HashMap::from([
            (label::FLEET.to_owned(), fleet.to_owned()),
            (label::EXPIRES_AT.to_owned(), expires_at.to_string()),
        ])
    }
}

/// A container to make.
#[derive(Debug, Clone)]
pub(crate) struct ContainerPlan {
    /// The image.
    pub(crate) image: String,
    /// Limits.
    pub(crate) resources: Resources,
    /// Labels.
    pub(crate) labels: Labels,
}

impl Engine {
    /// Makes a container, not started. `None` when the image is not on this host.
    pub(crate) async fn create(&self, plan: &ContainerPlan) -> Result<Option<String>, EngineError> {
        let volume = match self.init_volume(&plan.image, &plan.labels.fleet).await {
            Ok(volume) => volume,
            Err(_) if !self.has_image(&plan.image).await => return Ok(None),
            Err(e) => return Err(e),
        };
        let body = body(plan, &volume, self.network().await?);
        let name = format!(
            "orcaops-{}-{}-{:06x}",
            plan.labels.attempt.job_id,
            plan.labels.attempt.attempt,
            uuid::Uuid::new_v4().as_u128() & 0xff_ffff
        );
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        match self.docker.create_container(Some(options), body).await {
            Ok(created) => Ok(Some(created.id)),
            Err(e) if status(&e) == Some(404) && !self.has_image(&plan.image).await => Ok(None),
            Err(e) => {
                self.look_again().await;
                Err(EngineError::of(format!("create a container of {}", plan.image), &e))
            }
        }
    }

    /// Attaches to a container, starts it and greets its init.
    pub(crate) async fn start(&self, container: &str, hello: Hello) -> Result<Session, EngineError> {
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
            return Err(EngineError::of("start the container", &e));
        }
        Session::open(attached, hello).await
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
                    Err(e) => {
                        tracing::warn!(container.id = container, error = %e, "cannot remove a container")
                    }
                }
                tokio::time::sleep(REMOVAL_POLL).await;
            }
        };
        tokio::time::timeout(REMOVAL_PATIENCE, gone).await.is_ok()
    }

    /// Ids and labels of all containers of a fleet, running or not.
    pub(crate) async fn containers(
        &self,
        fleet: &str,
    ) -> Result<Vec<(String, HashMap<String, String>)>, EngineError> {
        let filters = HashMap::from([("label", vec![format!("{}={fleet}", label::FLEET)])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let list = self
            .docker
            .list_containers(Some(options))
            .await
            .map_err(|e| EngineError::of("list containers", &e))?;
        Ok(list.into_iter().filter_map(|c| Some((c.id?, c.labels?))).collect())
    }
}

fn body(plan: &ContainerPlan, volume: &str, network: &str) -> ContainerCreateBody {
    let resources = &plan.resources;
    #[expect(clippy::cast_possible_truncation, reason = "validated: at most 1024 CPUs")]
    let nano_cpus = resources.cpu.map(|cpu| (cpu * 1e9).round() as i64);
    let memory = resources.memory.map(|m| i64::try_from(m).unwrap_or(i64::MAX));
    ContainerCreateBody {
        image: Some(plan.image.clone()),
        entrypoint: Some(vec![format!("{INIT_FOLDER}/init")]),
        cmd: Some(Vec::new()),
        labels: Some(plan.labels.map()),
        open_stdin: Some(true),
        // A dead worker's containers end: init reads end-of-file.
        stdin_once: Some(true),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        // An image's health check would run beside the steps.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
        host_config: Some(HostConfig {
            binds: Some(vec![format!("{volume}:{INIT_FOLDER}:ro")]),
            auto_remove: Some(true),
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            network_mode: Some(network.to_owned()),
            nano_cpus,
            memory,
            // No swap: the limit is the limit.
            memory_swap: memory,
            pids_limit: Some(resources.pids.map_or(DEFAULT_PIDS, i64::from)),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(CAPABILITIES.map(str::to_owned).to_vec()),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            ..Default::default()
        }),
        ..Default::default()
    }
}
