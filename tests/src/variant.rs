//! Images that differ from the test image in how they are configured.

use anyhow::Result;
use bollard::Docker;
use bollard::models::{ContainerConfig, ContainerCreateBody};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptions, RemoveContainerOptionsBuilder,
    RemoveImageOptionsBuilder,
};

use crate::docker::test_image;

/// The test image with one more instruction. Gone from the engine once it is dropped.
pub struct Variant {
    docker: Docker,
    name: String,
}

impl Variant {
    /// The test image with an instruction such as `USER 1000`.
    pub async fn new(instruction: &str) -> Result<Self> {
        let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
        let body = ContainerCreateBody {
            image: Some(test_image()),
            cmd: Some(vec!["true".to_owned()]),
            ..Default::default()
        };
        let container = docker.create_container(None::<CreateContainerOptions>, body).await?.id;
        let name = format!("orcaops-test-{}", uuid::Uuid::new_v4().simple());
        let options = CommitContainerOptionsBuilder::default()
            .container(&container)
            .repo(&name)
            .tag("latest")
            .changes(instruction)
            .build();
        let made = docker.commit_container(options, ContainerConfig::default()).await;
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        docker.remove_container(&container, Some(options)).await?;
        made?;
        Ok(Self { docker, name })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Variant {
    fn drop(&mut self) {
        let (docker, name) = (self.docker.clone(), self.name.clone());
        // A runtime of its own: a failing test's runtime may be ending.
        let removed = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let options = RemoveImageOptionsBuilder::default().force(true).build();
                let _ = docker.remove_image(&name, Some(options), None).await;
            });
            Ok(())
        });
        let _ = removed.join();
    }
}
