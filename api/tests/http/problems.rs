//! Errors that belong to no topic.

use reqwest::{Body, Method};

use crate::support::{Fixture, spec};

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let fixture = Fixture::start().await;
    for path in ["/", "/nope", "/orcaops", "/orcaops/nope", "/orcaops/jobs/a/b/c"] {
        fixture.get(path).await.problem(404, "route_not_found");
    }
    let answer = fixture.send(Method::PUT, "/orcaops/jobs", &[], Body::default()).await;
    answer.problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET, POST");
}

#[tokio::test]
async fn bodies_that_are_not_json_too_large_or_of_another_kind_are_refused() {
    let fixture = Fixture::start().await;
    let send = async |kind: &str, body: &str| {
        let headers = [("content-type", kind)];
        fixture.send(Method::POST, "/orcaops/jobs", &headers, body.to_owned().into()).await
    };
    send("application/json", "{\"job_id\": ").await.problem(400, "malformed_request");
    send("application/json", "").await.problem(400, "malformed_request");
    send("text/xml", "<job/>").await.problem(415, "unsupported_media_type");
    let large = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    send("application/json", &large).await.problem(413, "payload_too_large");
    let answer = send("application/json; charset=utf-8", &spec("one").to_string()).await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn a_request_keeps_its_id_and_gets_one_if_it_has_none() {
    let fixture = Fixture::start().await;
    let given = [("x-request-id", "abc-123")];
    let answer = fixture.send(Method::GET, "/nope", &given, Body::default()).await;
    assert_eq!(answer.problem(404, "route_not_found")["request_id"], "abc-123");
    let (first, second) = (fixture.get("/healthz").await, fixture.get("/healthz").await);
    assert!(!first.header("x-request-id").is_empty());
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    let long = "x".repeat(500);
    let answer = fixture.send(Method::GET, "/healthz", &[("x-request-id", &long)], Body::default()).await;
    assert_ne!(answer.header("x-request-id"), long);
}

#[tokio::test]
async fn ids_that_no_job_can_have_are_jobs_that_do_not_exist() {
    let fixture = Fixture::start().await;
    for id in ["-x", "a%20b", "..", "%2E%2E", "%FF", "%00"] {
        let answer = fixture.get(&format!("/orcaops/runs/{id}")).await;
        assert!([404, 422].contains(&answer.status.as_u16()), "{id}: {}", answer.status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    fixture.get("/orcaops/jobs/unknown").await.problem(404, "job_not_found");
}
