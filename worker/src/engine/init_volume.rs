//! Brings init onto the Docker host: a named volume, filled once, mounted read-only into every container.
//!
//! A volume and not a bind mount, because the worker may itself run in a container or the engine elsewhere.

use std::time::Duration;

use bollard::body_full;
use bollard::models::{ContainerCreateBody, HostConfig, VolumeCreateRequest};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, CreateContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};

use super::connect::Engine;
use super::container::INIT_FOLDER;
use super::error::{EngineError, status};
use super::plan::Labels;
use crate::init_binary;

/// How long another worker may take to fill the volume before its helper is taken for dead.
const FILL_PATIENCE: Duration = Duration::from_secs(30);
const FILL_POLL: Duration = Duration::from_millis(100);

impl Engine {
    /// The name of the volume that holds this worker's init, filled. `image` is any image on the host.
    pub(super) async fn init_volume(&self, image: &str, fleet: &str) -> Result<String, EngineError> {
        let mut filled = self.init_volume.lock().await;
        if let Some(volume) = &*filled {
            return Ok(volume.clone());
        }
        let volume = self.fill(image, fleet).await?;
        *filled = Some(volume.clone());
        Ok(volume)
    }

    /// Makes the volume, and fills it when it is empty. The helper container's name is the lock between the
    /// workers of a host; it is never started.
    async fn fill(&self, image: &str, fleet: &str) -> Result<String, EngineError> {
        let volume = format!("orcaops-init-{}", init_binary::sha256());
        let request = VolumeCreateRequest { name: Some(volume.clone()), ..Default::default() };
        self.docker
            .create_volume(request)
            .await
            .map_err(|e| EngineError::of("make the volume that holds init", &e))?;

        let helper = self.helper(&volume, image, fleet).await?;
        let filled = self.fill_through(&helper).await;
        let removed = self.remove(&helper).await;
        filled?;
        if !removed {
            tracing::warn!(container.id = %helper, "the helper that filled the volume of init is still there");
        }
        Ok(volume)
    }

    async fn helper(&self, volume: &str, image: &str, fleet: &str) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::default().name(volume).build();
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec![format!("{INIT_FOLDER}/init")]),
            cmd: Some(Vec::new()),
            labels: Some(Labels::helper(fleet, FILL_PATIENCE)),
            host_config: Some(HostConfig {
                binds: Some(vec![format!("{volume}:{INIT_FOLDER}")]),
                ..Default::default()
            }),
            ..Default::default()
        };
        let started = tokio::time::Instant::now();
        loop {
            match self.docker.create_container(Some(options.clone()), body.clone()).await {
                Ok(created) => return Ok(created.id),
                Err(e) if status(&e) == Some(409) && started.elapsed() < FILL_PATIENCE => {
                    tokio::time::sleep(FILL_POLL).await;
                }
                Err(e) if status(&e) == Some(409) => {
                    // Whoever made it died over it.
                    self.remove(volume).await;
                }
                Err(e) => return Err(EngineError::of("make a container to fill the volume of init", &e)),
            }
        }
    }

    async fn fill_through(&self, helper: &str) -> Result<(), EngineError> {
        let path = format!("{INIT_FOLDER}/init");
        let options = ContainerArchiveInfoOptionsBuilder::default().path(&path).build();
        let size = i64::try_from(init_binary::INIT_BINARY.len()).unwrap_or(i64::MAX);
        match self.docker.get_container_archive_info(helper, Some(options)).await {
            Ok(stat) if stat.size == size => return Ok(()),
            Ok(_) => {}
            Err(e) if status(&e) == Some(404) => {}
            Err(e) => return Err(EngineError::of("look into the volume of init", &e)),
        }
        let options = UploadToContainerOptionsBuilder::default().path(INIT_FOLDER).build();
        let tar = tar_of(init_binary::INIT_BINARY)
            .map_err(|e| EngineError::Session(format!("cannot pack init: {e}")))?;
        self.docker
            .upload_to_container(helper, Some(options), body_full(tar.into()))
            .await
            .map_err(|e| EngineError::of("fill the volume of init", &e))
    }
}

fn tar_of(binary: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::with_capacity(binary.len() + 4096));
    let mut header = tar::Header::new_gnu();
    header.set_size(binary.len() as u64);
    header.set_mode(0o755);
    builder.append_data(&mut header, "init", binary)?;
    builder.into_inner()
}
