//! The engine's side of a container: made, looked at, removed.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bollard::exec::StartExecResults;
use bollard::models::{
    ContainerCreateBody, ExecConfig, HostConfig, HostConfigLogConfig, VolumeCreateRequest,
};
use bollard::query_parameters::{
    RemoveContainerOptionsBuilder, RemoveVolumeOptions, UploadToContainerOptionsBuilder,
};
use bollard::{Docker, body_full};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::{InitContainer, Names, PATIENCE, Plan};
use crate::docker::test_image;

/// How long what a test left may take to be removed.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);
const INIT_FOLDER: &str = "/.orcaops";

impl InitContainer {
    pub(super) async fn fill_volume(&self) -> Result<()> {
        let volume = self.names.volume.clone();
        let request =
            VolumeCreateRequest { name: Some(volume), labels: Some(self.labels()), ..Default::default() };
        self.docker.create_volume(request).await?;
        let body =
            self.body(&self.names.helper, HostConfig { binds: self.binds("rw"), ..Default::default() });
        self.docker.create_container(Some(named(&self.names.helper)), body).await?;
        let binary = orcaops_worker::init_binary();
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(binary.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, "init", binary)?;
        let options = UploadToContainerOptionsBuilder::new().path(INIT_FOLDER).build();
        let tar = body_full(tar.into_inner()?.into());
        self.docker.upload_to_container(&self.names.helper, Some(options), tar).await?;
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        Ok(self.docker.remove_container(&self.names.helper, Some(options)).await?)
    }

    pub(super) async fn create(&self, plan: &Plan) -> Result<()> {
        let host = HostConfig {
            binds: self.binds("ro"),
            auto_remove: Some(true),
            memory: plan.memory,
            memory_swap: plan.memory,
            network_mode: Some("none".to_owned()),
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            ..Default::default()
        };
        let body = ContainerCreateBody {
            open_stdin: Some(true),
            stdin_once: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            user: plan.user.clone(),
            cmd: Some(vec![plan.lease.as_millis().to_string()]),
            ..self.body(&self.names.container, host)
        };
        self.docker.create_container(Some(named(&self.names.container)), body).await?;
        Ok(())
    }

    fn body(&self, name: &str, host: HostConfig) -> ContainerCreateBody {
        ContainerCreateBody {
            image: Some(test_image()),
            hostname: Some(name.chars().take(60).collect()),
            entrypoint: Some(vec![format!("{INIT_FOLDER}/init")]),
            cmd: Some(Vec::new()),
            labels: Some(self.labels()),
            host_config: Some(host),
            ..Default::default()
        }
    }

    fn labels(&self) -> HashMap<String, String> {
        HashMap::from([("orcaops.test".to_owned(), self.names.container.clone())])
    }

    fn binds(&self, mode: &str) -> Option<Vec<String>> {
        Some(vec![format!("{}:{INIT_FOLDER}:{mode}", self.names.volume)])
    }

    /// Waits until the engine has removed the container.
    ///
    /// It is looked at again and again: the engine's own way of waiting for a removal never returns when it is
    /// asked while the removal is under way.
    pub async fn gone(&self) -> Result<()> {
        timeout(PATIENCE, async {
            loop {
                match self.docker.inspect_container(&self.names.container, None).await {
                    Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => return,
                    _ => tokio::time::sleep(POLL).await,
                }
            }
        })
        .await
        .context("the container is still there")
    }

    /// Asks the engine to stop the container, and waits until it says that it has.
    pub async fn stop(&self) -> Result<()> {
        Ok(self.docker.stop_container(&self.names.container, None).await?)
    }

    /// What the engine knows of the container, as JSON.
    pub async fn inspect(&self) -> Result<String> {
        let known = self.docker.inspect_container(&self.names.container, None).await?;
        Ok(serde_json::to_string(&known)?)
    }

    /// Runs a command beside init, by way of the engine.
    pub async fn exec(&self, argv: &[&str]) -> Result<String> {
        let config = ExecConfig {
            cmd: Some(argv.iter().map(|a| (*a).to_owned()).collect()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let exec = self.docker.create_exec(&self.names.container, config).await?;
        let StartExecResults::Attached { mut output, .. } = self.docker.start_exec(&exec.id, None).await?
        else {
            bail!("the engine did not attach");
        };
        let mut text = String::new();
        while let Some(piece) = timeout(PATIENCE, output.next()).await.context("the command does not end")? {
            text.push_str(&String::from_utf8_lossy(&piece?.into_bytes()));
        }
        Ok(text)
    }

    /// Waits until init does nothing any more, for it has nothing to do or nowhere to write.
    pub async fn idle(&self) -> Result<()> {
        let mut before = String::new();
        timeout(PATIENCE, async {
            loop {
                // An idle process is not switched to and away from.
                let switches = self.exec(&["/bin/grep", "ctxt_switches", "/proc/1/status"]).await?;
                if switches == before {
                    return Ok(());
                }
                before = switches;
            }
        })
        .await
        .context("init does not come to rest")?
    }
}

fn named(name: &str) -> bollard::query_parameters::CreateContainerOptions {
    bollard::query_parameters::CreateContainerOptionsBuilder::new().name(name).build()
}

impl Drop for InitContainer {
    fn drop(&mut self) {
        self.abandon();
        let docker = self.docker.clone();
        let Names { volume, helper, container } = &self.names;
        let (volume, containers) = (volume.clone(), [helper.clone(), container.clone()]);
        // A runtime of its own: that of a failing test may be ending, and can't be waited on from here.
        let removal = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let removed = timeout(REMOVAL_PATIENCE, remove(&docker, &containers, &volume)).await;
                if removed.is_err() {
                    eprintln!("the volume {volume} or a container that uses it could not be removed");
                }
            });
            Ok(())
        });
        let _ = removal.join();
    }
}

/// Removes containers and the volume, again and again: the engine may be removing them itself, and refuses.
async fn remove(docker: &Docker, containers: &[String], volume: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    loop {
        for container in containers {
            let _ = docker.remove_container(container, Some(options.clone())).await;
        }
        match docker.remove_volume(volume, None::<RemoveVolumeOptions>).await {
            Ok(()) | Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => {
                return;
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}
