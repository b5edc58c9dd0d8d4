//! The engine, as tests look at it.

use std::collections::HashMap;
use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bollard::Docker;
use bollard::models::{ContainerSummary, NetworkCreateRequest};
use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptionsBuilder,
    RenameContainerOptionsBuilder,
};

use futures_util::TryStreamExt;

use crate::wait::until;

/// The image that jobs of tests run in: a shell and the usual small tools.
pub fn test_image() -> String {
    std::env::var("ORCAOPS_TEST_IMAGE").unwrap_or_else(|_| "orcaops-test:latest".to_owned())
}

/// Containers of one fleet; what is left of them is removed when this is dropped, and so are volumes and networks that
/// carry its label.
pub struct FleetContainers {
    docker: Docker,
    fleet: String,
}

impl FleetContainers {
    /// Looks at the containers of that fleet.
    pub async fn new(fleet: &str) -> Result<Self> {
        let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
        Ok(Self { docker, fleet: fleet.to_owned() })
    }

    /// Their ids and labels.
    pub async fn list(&self) -> Result<Vec<(String, HashMap<String, String>)>> {
        Ok(self.containers().await?.into_iter().filter_map(|c| Some((c.id?, c.labels?))).collect())
    }

    async fn containers(&self) -> Result<Vec<ContainerSummary>> {
        let options = ListContainersOptionsBuilder::default().all(true).filters(&self.filters()).build();
        Ok(self.docker.list_containers(Some(options)).await?)
    }

    /// The names of the volumes that they have mounted, init's aside.
    pub async fn mounted_volumes(&self) -> Result<Vec<String>> {
        let mounts = self.containers().await?.into_iter().flat_map(|c| c.mounts.unwrap_or_default());
        let names = mounts.filter(|m| m.typ.as_deref() == Some("volume")).filter_map(|m| m.name);
        Ok(names.filter(|name| !name.starts_with("orcaops-init-")).collect())
    }

    /// Whether the engine has a volume of that name.
    pub async fn has_volume(&self, name: &str) -> Result<bool> {
        match self.docker.inspect_volume(name).await {
            Ok(_) => Ok(true),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Waits until a container is gone; how long that took.
    pub async fn gone(&self, id: &str) -> Result<Duration> {
        let started = Instant::now();
        until("the container is gone", Duration::from_secs(20), async || {
            self.list().await.is_ok_and(|l| l.iter().all(|(other, _)| other != id))
        })
        .await?;
        Ok(started.elapsed())
    }

    /// Waits until none is left.
    pub async fn all_gone(&self) -> Result<()> {
        until("no container is left", Duration::from_secs(30), async || {
            self.list().await.is_ok_and(|l| l.is_empty())
        })
        .await
    }

    fn filters(&self) -> HashMap<&'static str, Vec<String>> {
        HashMap::from([("label", vec![format!("orcaops.fleet={}", self.fleet)])])
    }

    /// The names of the fleet's volumes.
    pub async fn volumes(&self) -> Result<Vec<String>> {
        let options = ListVolumesOptionsBuilder::default().filters(&self.filters()).build();
        let list = self.docker.list_volumes(Some(options)).await?.volumes.unwrap_or_default();
        Ok(list.into_iter().map(|volume| volume.name).collect())
    }

    /// Makes a network for jobs to join; its name.
    pub async fn network(&self) -> Result<String> {
        let name = format!("{}-net", self.fleet);
        let labels = HashMap::from([("orcaops.fleet".to_owned(), self.fleet.clone())]);
        let request = NetworkCreateRequest { name: name.clone(), labels: Some(labels), ..Default::default() };
        self.docker.create_network(request).await?;
        Ok(name)
    }

    async fn remove_all(&self) -> Result<()> {
        for (id, _) in self.list().await? {
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            let _ = self.docker.remove_container(&id, Some(options)).await;
        }
        for volume in self.volumes().await? {
            let options = RemoveVolumeOptionsBuilder::default().force(true).build();
            let _ = self.docker.remove_volume(&volume, Some(options)).await;
        }
        let options = ListNetworksOptionsBuilder::default().filters(&self.filters()).build();
        for network in self.docker.list_networks(Some(options)).await? {
            let _ = self.docker.remove_network(&network.id.unwrap_or_default()).await;
        }
        Ok(())
    }

    /// Gives a container another name.
    pub async fn rename(&self, id: &str, name: &str) -> Result<()> {
        let options = RenameContainerOptionsBuilder::default().name(name).build();
        Ok(self.docker.rename_container(id, options).await?)
    }

    /// A file of a container, which need not run.
    pub async fn file(&self, id: &str, path: &str) -> Result<Vec<u8>> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let mut pieces = self.docker.download_from_container(id, Some(options));
        let mut archive = Vec::new();
        while let Some(piece) = pieces.try_next().await? {
            archive.extend_from_slice(&piece);
        }
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut entry = archive.entries()?.next().context("an empty archive")??;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        Ok(content)
    }

    /// What the engine says of a container.
    pub async fn inspect(&self, id: &str) -> Result<bollard::models::ContainerInspectResponse> {
        Ok(self.docker.inspect_container(id, None).await?)
    }
}

impl Drop for FleetContainers {
    fn drop(&mut self) {
        let (docker, fleet) = (self.docker.clone(), self.fleet.clone());
        // A runtime of its own: a failing test's runtime may be ending.
        let swept = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let containers = std::mem::ManuallyDrop::new(Self { docker, fleet });
                containers.remove_all().await
            })
        });
        let _ = swept.join();
    }
}
