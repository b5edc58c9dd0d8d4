//! How far a pull is, from what the engine says of its layers. Pure.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::CreateImageInfo;

/// The most layers that are counted; a registry may say what it likes.
const MAX_LAYERS: usize = 1024;
/// What the engine says of an image that it had already, up to the image's name.
const UP_TO_DATE: &str = "Status: Image is up to date";
/// What stands before an image's digest.
const DIGEST: &str = "Digest: ";
/// The longest digest that is repeated.
const MAX_DIGEST: usize = 160;

/// The layers of an image that is being pulled.
#[derive(Debug, Default)]
pub(super) struct Layers {
    layers: HashMap<String, Layer>,
    digest: Option<String>,
    is_up_to_date: bool,
}

#[derive(Debug, Default)]
struct Layer {
    is_done: bool,
    /// Bytes that came, and that are to come in all, once both are known.
    bytes: Option<(u64, u64)>,
}

impl Layers {
    /// Takes in what the engine says next.
    pub(super) fn take(&mut self, news: &CreateImageInfo) {
        let status = news.status.as_deref().unwrap_or_default();
        if let Some(digest) = status.strip_prefix(DIGEST).filter(|digest| digest.len() <= MAX_DIGEST) {
            self.digest = Some(digest.to_owned());
        }
        self.is_up_to_date |= status.starts_with(UP_TO_DATE);
        let Some(id) = news.id.as_deref() else { return };
        // Said of the tag, not of a layer.
        if status.starts_with("Pulling from") {
            return;
        }
        if !self.layers.contains_key(id) && self.layers.len() >= MAX_LAYERS {
            return;
        }
        let layer = self.layers.entry(id.to_owned()).or_default();
        layer.is_done |= matches!(status, "Pull complete" | "Already exists");
        let detail = news.progress_detail.as_ref().filter(|_| status == "Downloading");
        if let Some((current, total)) = detail.and_then(|detail| detail.current.zip(detail.total)) {
            layer.bytes = u64::try_from(current).ok().zip(u64::try_from(total).ok());
        } else if matches!(status, "Verifying Checksum" | "Download complete" | "Pull complete")
            && let Some((current, total)) = &mut layer.bytes
        {
            *current = *total;
        }
    }

    /// How far it is, once the layers are known.
    pub(super) fn words(&self) -> Option<String> {
        if self.layers.is_empty() {
            return None;
        }
        let done = self.layers.values().filter(|layer| layer.is_done).count();
        let (current, total) = self.bytes();
        let of = layers(self.layers.len());
        Some(format!("{done} of {of}, {} of {} so far", size(current), size(total)))
    }

    /// What was pulled.
    pub(super) fn summary(&self, image: &str, took: Duration) -> String {
        let digest = self.digest.as_deref().map(|digest| format!(" ({digest})")).unwrap_or_default();
        if self.is_up_to_date {
            return format!("image {image} is up to date{digest}");
        }
        let (_, total) = self.bytes();
        let (layers, seconds) = (layers(self.layers.len()), took.as_secs_f64());
        format!("pulled image {image}{digest}: {layers}, {} in {seconds:.1} s", size(total))
    }

    fn bytes(&self) -> (u64, u64) {
        let known = self.layers.values().filter_map(|layer| layer.bytes);
        known.fold((0, 0), |(current, total), (c, t)| {
            (u64::saturating_add(current, c), u64::saturating_add(total, t))
        })
    }
}

fn layers(count: usize) -> String {
    format!("{count} layer{}", if count == 1 { "" } else { "s" })
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut number, mut unit) = (bytes as f64, 0);
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        number /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{number:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    fn news(id: Option<&str>, status: &str, bytes: Option<(i64, i64)>) -> CreateImageInfo {
        CreateImageInfo {
            id: id.map(str::to_owned),
            status: Some(status.to_owned()),
            progress_detail: bytes.map(|(c, t)| ProgressDetail { current: Some(c), total: Some(t) }),
            ..Default::default()
        }
    }

    #[test]
    fn layers_and_bytes_are_counted_as_they_come() {
        let mut layers = Layers::default();
        layers.take(&news(Some("3.20"), "Pulling from library/alpine", None));
        assert_eq!(layers.words(), None);
        layers.take(&news(Some("a"), "Already exists", None));
        layers.take(&news(Some("b"), "Pulling fs layer", None));
        layers.take(&news(Some("b"), "Downloading", Some((1024, 3 << 20))));
        assert_eq!(layers.words().as_deref(), Some("1 of 2 layers, 1.0 KiB of 3.0 MiB so far"));
        layers.take(&news(Some("b"), "Download complete", None));
        // Extracting counts other bytes, those of the unpacked layer.
        layers.take(&news(Some("b"), "Extracting", Some((5 << 20, 9 << 20))));
        layers.take(&news(Some("b"), "Pull complete", None));
        assert_eq!(layers.words().as_deref(), Some("2 of 2 layers, 3.0 MiB of 3.0 MiB so far"));
        layers.take(&news(None, "Digest: sha256:00", None));
        layers.take(&news(None, "Status: Downloaded newer image for alpine:3.20", None));
        let summary = layers.summary("alpine:3.20", Duration::from_millis(1500));
        assert_eq!(summary, "pulled image alpine:3.20 (sha256:00): 2 layers, 3.0 MiB in 1.5 s");
    }

    #[test]
    fn an_image_that_did_not_change_is_said_to_be_up_to_date() {
        let mut layers = Layers::default();
        layers.take(&news(None, "Digest: sha256:00", None));
        layers.take(&news(None, "Status: Image is up to date for a:1", None));
        assert_eq!(layers.summary("a:1", Duration::ZERO), "image a:1 is up to date (sha256:00)");
    }

    #[test]
    fn a_registry_without_end_is_counted_to_a_limit() {
        let mut layers = Layers::default();
        for n in 0..2 * MAX_LAYERS {
            layers.take(&news(Some(&n.to_string()), "Downloading", Some((-1, i64::MAX))));
        }
        assert_eq!(layers.layers.len(), MAX_LAYERS);
    }
}
