use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::domain::run::ArtifactMetadata;

pub(super) fn metadata(path: &str, content: &[u8]) -> ArtifactMetadata {
    ArtifactMetadata {
        mode: None,
        name: path.rsplit('/').next().unwrap().to_owned(),
        path: path.to_owned(),
        size_bytes: content.len() as u64,
        sha256: hex::encode(Sha256::digest(content)),
    }
}

#[tokio::test]
async fn an_artifact_lies_under_its_own_path() {
    let (_folder, layout) = layout();
    let id = job("a");
    let large = vec![7; 1_000_000];
    for (path, content) in [("app", &b"binary"[..]), ("out/deep/er/x y", b""), ("out/large", &large)] {
        for _ in 0..2 {
            layout.put_artifact(&id, &metadata(path, content), content).await.unwrap();
        }
        assert_eq!(fs::read(layout.artifact_path(&id, path).unwrap()).unwrap(), content);
    }
    assert_eq!(
        files(&layout, &id),
        ["app", "out/", "out/deep/", "out/deep/er/", "out/deep/er/x y", "out/large"]
    );
}

#[tokio::test]
async fn an_artifact_keeps_its_permissions() {
    let (_folder, layout) = layout();
    let id = job("a");
    for (mode, expected) in [("0755", 0o755), ("0400", 0o600), ("6755", 0o755), ("0640", 0o640)] {
        let tool = ArtifactMetadata { mode: Some(mode.to_owned()), ..metadata("bin/tool", b"#!") };
        layout.put_artifact(&id, &tool, &b"#!"[..]).await.unwrap();
        let path = layout.artifact_path(&id, "bin/tool").unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7777, expected, "{mode}");
    }
}

#[tokio::test]
async fn what_is_not_as_announced_is_not_stored() {
    let (_folder, layout) = layout();
    let id = job("a");
    layout.put_artifact(&id, &metadata("x", b"old"), &b"old"[..]).await.unwrap();
    for content in [&b"ne"[..], b"newer", b"nEw"] {
        let error = layout.put_artifact(&id, &metadata("x", b"new"), content).await.unwrap_err();
        assert!(matches!(error, LayoutError::Mismatch { .. }), "{error}");
        assert!(error.to_string().contains("/a/x is not what was announced"), "{error}");
    }
    let broken = tokio_util::io::StreamReader::new(futures_util::stream::iter([
        Ok(&b"n"[..]),
        Err(io::Error::other("the bus is gone")),
    ]));
    let error = layout.put_artifact(&id, &metadata("x", b"new"), broken).await.unwrap_err();
    assert!(error.to_string().contains("cannot receive the content of"), "{error}");
    assert_eq!(fs::read(layout.artifact_path(&id, "x").unwrap()).unwrap(), b"old");
    assert_eq!(files(&layout, &id), ["x"]);
}

#[tokio::test]
async fn a_file_and_a_folder_cannot_share_a_name() {
    let (_folder, layout) = layout();
    let id = job("a");
    layout.put_artifact(&id, &metadata("x", b""), &b""[..]).await.unwrap();
    layout.put_artifact(&id, &metadata("d/y", b""), &b""[..]).await.unwrap();
    for (path, wanted) in [("x/y", "folder"), ("d", "file")] {
        let error = layout.put_artifact(&id, &metadata(path, b""), &b""[..]).await.unwrap_err();
        assert!(matches!(error, LayoutError::WrongKind { wanted: w, .. } if w == wanted), "{error}");
    }
    assert_eq!(files(&layout, &id), ["d/", "d/y", "x"]);
}

#[tokio::test]
async fn a_full_disk_is_told_apart() {
    // The one device that is always full.
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let cause = io::Write::write(&mut &full, b"x").unwrap_err();
    let error = LayoutError::io("write", std::path::Path::new("/x/run.json"), cause);
    assert!(error.is_disk_full());
    assert_eq!(
        error.to_string(),
        "no space is left for /x/run.json; free some, or move the artifacts to a larger disk"
    );
}
