//! Images: pulled when they are not there.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;

use super::connect::Engine;
use super::error::EngineError;

/// The longest that one pull may take; a job's TTL may end it sooner.
const PULL_TIMEOUT: Duration = Duration::from_secs(15 * 60);

impl Engine {
    /// Whether the image is on this host.
    pub(crate) async fn has_image(&self, image: &str) -> bool {
        self.docker.inspect_image(image).await.is_ok()
    }

    /// Pulls an image, unless another attempt has done so while this one waited. Cancel safe: a pull that
    /// nobody waits for is broken off by the engine.
    pub(crate) async fn pull(&self, image: &str) -> Result<(), EngineError> {
        let turn = Arc::clone(
            self.pulls.lock().unwrap_or_else(PoisonError::into_inner).entry(image.to_owned()).or_default(),
        );
        let _turn = turn.lock().await;
        if self.has_image(image).await {
            return Ok(());
        }
        let (name, tag) = split_reference(image);
        let mut options = CreateImageOptionsBuilder::default().from_image(name);
        if let Some(tag) = tag {
            options = options.tag(tag);
        }
        let pull =
            self.docker.create_image(Some(options.build()), None, None).try_for_each(|_| async { Ok(()) });
        match tokio::time::timeout(PULL_TIMEOUT, pull).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(EngineError::pull(image, &engine_words(&error))),
            Err(_) => Err(EngineError::pull(image, &format!("not done within {} s", PULL_TIMEOUT.as_secs()))),
        }
    }
}

fn engine_words(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.clone(),
        bollard::errors::Error::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    }
}

/// Name and tag of a reference. Without a tag the engine would pull every one there is. A digest is part of
/// the name.
fn split_reference(image: &str) -> (&str, Option<&str>) {
    if image.contains('@') {
        return (image, None);
    }
    match image.rsplit_once(':') {
        // A colon before a slash belongs to a registry's port.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, Some("latest")),
    }
}

#[cfg(test)]
mod tests {
    use super::split_reference;

    #[test]
    fn a_reference_without_a_tag_means_latest() {
        assert_eq!(split_reference("python"), ("python", Some("latest")));
        assert_eq!(split_reference("python:3.12-slim"), ("python", Some("3.12-slim")));
        assert_eq!(split_reference("registry:5000/a/b"), ("registry:5000/a/b", Some("latest")));
        assert_eq!(split_reference("registry:5000/a:1"), ("registry:5000/a", Some("1")));
        assert_eq!(split_reference("a@sha256:00"), ("a@sha256:00", None));
    }
}
