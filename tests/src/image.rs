//! An image as registries keep it, made of the test image.

use std::io::{Cursor, Read};

use anyhow::{Context, Result};
use bollard::Docker;
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::docker::test_image;

/// The longest block of a deflated stream that is not compressed.
const STORED: usize = u16::MAX as usize;

/// Bytes that are known by their hash.
pub struct Blob {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// `sha256:` and the hash in hex.
    pub digest: String,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        let digest = digest(&bytes);
        Self { bytes, digest }
    }
}

/// An image of one layer.
pub struct Image {
    /// What it is made of.
    pub manifest: Blob,
    /// How it is to be run.
    pub config: Blob,
    /// Its files.
    pub layer: Blob,
}

impl Image {
    /// The type of the manifest.
    pub const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

    /// The test image with one file more, which no other image has: the engine has no part of it yet.
    pub async fn unique(docker: &Docker) -> Result<Self> {
        let mut saved = Vec::new();
        let name = test_image();
        let mut pieces = std::pin::pin!(docker.export_image(&name));
        while let Some(piece) = pieces.try_next().await? {
            saved.extend_from_slice(&piece);
        }
        let manifest: Value = serde_json::from_slice(&file(&saved, "manifest.json")?)?;
        let path = |value: &Value| value.as_str().map(str::to_owned).context("no path");
        let mut config: Value = serde_json::from_slice(&file(&saved, &path(&manifest[0]["Config"])?)?)?;
        let files = with_a_file_more(&file(&saved, &path(&manifest[0]["Layers"][0])?)?)?;
        config["rootfs"] = json!({ "type": "layers", "diff_ids": [digest(&files)] });
        config["history"] = json!([{ "created": "2026-01-01T00:00:00Z" }]);
        let config = Blob::new(serde_json::to_vec(&config)?);
        let layer = Blob::new(gzip(&files));
        let part = |kind: &str, blob: &Blob| {
            let kind = format!("application/vnd.docker.{kind}");
            json!({ "mediaType": kind, "size": blob.bytes.len(), "digest": blob.digest })
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": Self::MANIFEST_TYPE,
            "config": part("container.image.v1+json", &config),
            "layers": [part("image.rootfs.diff.tar.gzip", &layer)],
        });
        Ok(Self { manifest: Blob::new(serde_json::to_vec(&manifest)?), config, layer })
    }
}

/// `sha256:` and the hash in hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn file(archive: &[u8], name: &str) -> Result<Vec<u8>> {
    let mut archive = tar::Archive::new(Cursor::new(archive));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.to_str() == Some(name) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            return Ok(content);
        }
    }
    anyhow::bail!("the saved image has no {name}")
}

fn with_a_file_more(layer: &[u8]) -> Result<Vec<u8>> {
    let mut archive = tar::Archive::new(Cursor::new(layer));
    let mut builder = tar::Builder::new(Vec::new());
    for entry in archive.entries()? {
        let entry = entry?;
        let header = entry.header().clone();
        builder.append(&header, entry)?;
    }
    let content = uuid::Uuid::new_v4().to_string();
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "etc/unique", content.as_bytes())?;
    Ok(builder.into_inner()?)
}

/// The bytes as gzip has them, without being smaller.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut zipped = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = bytes.chunks(STORED).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        zipped.push(u8::from(blocks.peek().is_none()));
        zipped.extend_from_slice(&length.to_le_bytes());
        zipped.extend_from_slice(&(!length).to_le_bytes());
        zipped.extend_from_slice(block);
    }
    zipped.extend_from_slice(&crc32(bytes).to_le_bytes());
    zipped.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    zipped
}

fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 }
            },
        )
    })
}
