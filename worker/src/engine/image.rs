//! Images: what they are called, and whether they are here.

use super::connect::Engine;

impl Engine {
    /// Whether the image is on this host.
    pub(crate) async fn has_image(&self, image: &str) -> bool {
        self.docker.inspect_image(image).await.is_ok()
    }
}

/// Name and tag of a reference. Without a tag the engine would pull every one there is. A digest is part of
/// the name.
pub(super) fn split_reference(image: &str) -> (&str, Option<&str>) {
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
