//! Images that a test builds, as the engine knows them.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use bollard::Docker;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
};

/// Names that no other test uses; images that have them are removed when this is dropped.
pub struct Images {
    docker: Docker,
    names: Mutex<Vec<String>>,
}

impl Images {
    /// Looks at the engine's images.
    pub async fn new() -> Result<Self> {
        let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
        Ok(Self { docker, names: Mutex::default() })
    }

    /// A name for an image.
    pub fn name(&self) -> String {
        self.take(format!("orcaops-test-built-{}", uuid::Uuid::new_v4().simple()))
    }

    /// A name for an image in that registry.
    pub fn name_at(&self, registry: &str) -> String {
        self.take(format!("{registry}/orcaops-test-built-{}", uuid::Uuid::new_v4().simple()))
    }

    fn take(&self, name: String) -> String {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        name
    }

    /// An image's id and size.
    pub async fn inspect(&self, image: &str) -> Result<(String, i64)> {
        let image = self.docker.inspect_image(image).await?;
        Ok((image.id.context("no id")?, image.size.context("no size")?))
    }

    /// How many containers run a command that contains `mark`.
    pub async fn containers_of(&self, mark: &str) -> Result<usize> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let list = self.docker.list_containers(Some(options)).await?;
        Ok(list
            .into_iter()
            .filter(|c| c.command.as_ref().is_some_and(|command| command.contains(mark)))
            .count())
    }

    /// A network's gateway.
    pub async fn gateway(&self, network: &str) -> Result<String> {
        let network = self.docker.inspect_network(network, None).await?;
        let configs = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        configs.into_iter().find_map(|config| config.gateway).context("no gateway")
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        let docker = self.docker.clone();
        let names = std::mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner));
        // A runtime of its own: a failing test's runtime may be ending.
        let removed = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                for image in docker.list_images(Some(ListImagesOptionsBuilder::default().build())).await? {
                    for tag in image.repo_tags {
                        if names.iter().any(|name| tag.starts_with(&format!("{name}:"))) {
                            let options = RemoveImageOptionsBuilder::default().force(true).build();
                            let _ = docker.remove_image(&tag, Some(options), None).await;
                        }
                    }
                }
                Ok(())
            })
        });
        let _ = removed.join();
    }
}
