//! Uploads.

use orcaops_common::bus::Bus;
use reqwest::{Body, Method};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{Answer, Fixture, spec};

async fn upload(fixture: &Fixture, tar: Vec<u8>) -> Answer {
    let headers = [("content-type", "application/x-tar")];
    fixture.send(Method::POST, "/orcaops/uploads", &headers, tar.into()).await
}

fn tar_of(path: &str, content: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    // Written by hand: the builder refuses hostile paths.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
    tar.append(&header, content).unwrap();
    tar.into_inner().unwrap()
}

#[tokio::test]
async fn an_upload_is_stored_once_and_a_job_may_name_it() {
    let fixture = Fixture::start().await;
    let tar = tar_of("src/main.c", b"int main;");
    let answer = upload(&fixture, tar.clone()).await;
    assert_eq!(answer.status, 201);
    let sha256 = hex::encode(Sha256::digest(&tar));
    let object = format!("uploads/{sha256}");
    assert_eq!(answer.json(), json!({"object": object, "size_bytes": tar.len(), "sha256": sha256}));
    assert_eq!(fixture.bus.object_info(&object).await.unwrap().size, tar.len() as u64);
    assert_eq!(upload(&fixture, tar).await.status, 200);
    let mut spec = spec("one");
    spec["inputs"] = json!([{"path": ".", "object": object}]);
    fixture.submit(&spec).await;
}

#[tokio::test]
async fn a_hostile_tar_is_refused_by_the_entrys_name() {
    let fixture = Fixture::start().await;
    for path in ["../evil", "/etc/passwd"] {
        let problem = upload(&fixture, tar_of(path, b"x")).await.problem(422, "invalid_archive");
        assert!(problem["detail"].as_str().unwrap().contains(path), "{problem}");
    }
    upload(&fixture, vec![b'x'; 5000]).await.problem(422, "invalid_archive");
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused_whether_or_not_it_is_announced() {
    let fixture = Fixture::start_with(|config| config.max_upload_bytes = 10_000).await;
    upload(&fixture, tar_of("a", &vec![0; 20_000])).await.problem(413, "payload_too_large");
    let chunks = (0..20).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 1000]));
    let body = Body::wrap_stream(futures_util::stream::iter(chunks));
    let answer = fixture.send(Method::POST, "/orcaops/uploads", &[], body).await;
    answer.problem(413, "payload_too_large");
    let left = std::fs::read_dir(fixture.artifacts().join(".uploads")).unwrap().count();
    assert_eq!(left, 0, "temporary files are left");
}

#[tokio::test]
async fn an_upload_that_is_no_tar_by_its_own_word_is_refused() {
    let fixture = Fixture::start().await;
    let headers = [("content-type", "application/zip")];
    let answer = fixture.send(Method::POST, "/orcaops/uploads", &headers, vec![1].into()).await;
    answer.problem(415, "unsupported_media_type");
}
