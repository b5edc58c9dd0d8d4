//! Builds of images, as far as the API sees them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Fixture};

fn context(path: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let content = b"FROM scratch\n";
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, path, content.as_slice()).unwrap();
    tar.into_inner().unwrap()
}

async fn build(fixture: &Fixture, query: &str, context: Vec<u8>) -> Answer {
    let headers = [("content-type", "application/x-tar")];
    fixture.send(Method::POST, &format!("/orcaops/images/build?{query}"), &headers, context.into()).await
}

fn parameters(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|e| e["pointer"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_build_is_a_job_whose_repetition_is_safe() {
    let fixture = Fixture::start().await;
    let query = "job_id=b1&name=app:1&name=registry.example/app&arg=A%3D1&pool=builders&timeout=60";
    let answer = build(&fixture, query, context("Dockerfile")).await;
    assert_eq!(answer.status, 201);
    assert_eq!((&answer.json()["job_id"], &answer.json()["status"]), (&json!("b1"), &json!("queued")));
    let record = fixture.get("/orcaops/jobs/b1").await.json()["record"].take();
    assert_eq!((&record["image_ref"], &record["pool"]), (&json!("app:1"), &json!("builders")));
    assert_eq!(build(&fixture, query, context("Dockerfile")).await.status, 200);
    let other = query.replace("A%3D1", "A%3D2");
    build(&fixture, &other, context("Dockerfile")).await.problem(409, "job_id_taken");
}

#[tokio::test]
async fn what_is_wrong_with_a_build_is_named_by_parameter_all_at_once() {
    let fixture = Fixture::start().await;
    let query = "name=UP&arg=x&timeout=1&memory=8g&dockerfile=../x&version=-";
    let problem = build(&fixture, query, context("Dockerfile")).await.problem(422, "invalid_parameter");
    assert_eq!(parameters(&problem), ["version", "name", "arg", "dockerfile", "timeout"], "{problem:#}");
    let nameless = build(&fixture, "", context("Dockerfile")).await.problem(422, "invalid_parameter");
    assert_eq!(parameters(&nameless), ["name"]);
    let words = build(&fixture, "name=a&latest=perhaps", context("Dockerfile")).await;
    assert!(words.problem(422, "invalid_parameter")["detail"].as_str().unwrap().contains("latest"));
}

#[tokio::test]
async fn a_context_must_be_a_tar_with_the_dockerfile_in_it() {
    let fixture = Fixture::start().await;
    let problem = build(&fixture, "name=a", context("other")).await.problem(422, "invalid_parameter");
    assert_eq!(parameters(&problem), ["dockerfile"]);
    assert_eq!(build(&fixture, "name=a&dockerfile=./d/f", context("d/f")).await.status, 201);
    build(&fixture, "name=a", vec![b'x'; 5000]).await.problem(422, "invalid_archive");
    build(&fixture, "name=a", Vec::new()).await.problem(422, "invalid_archive");
}

#[tokio::test]
async fn a_context_over_the_limit_is_refused() {
    let fixture = Fixture::start_with(|config| config.max_upload_bytes = 1000).await;
    build(&fixture, "name=a", context("Dockerfile")).await.problem(413, "payload_too_large");
}

#[tokio::test]
async fn a_job_of_commands_can_not_pass_for_a_build() {
    let fixture = Fixture::start().await;
    let spec = json!({
        "sandbox": {"image": "img:1"},
        "commands": [{"command": "true"}],
        "build": {"context": "uploads/x", "dockerfile": "Dockerfile", "tags": ["a:1"]},
    });
    let answer =
        fixture.send(Method::POST, "/orcaops/jobs", &[], serde_json::to_vec(&spec).unwrap().into()).await;
    let problem = answer.problem(422, "invalid_spec");
    assert_eq!(parameters(&problem), ["/build"]);
}
