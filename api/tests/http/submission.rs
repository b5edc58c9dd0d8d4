//! Submitting jobs.

use orcaops_common::domain::id::JobId;
use serde_json::json;

use crate::support::{Fixture, Player, spec};

#[tokio::test]
async fn a_new_job_is_created_and_the_same_job_again_is_found() {
    let fixture = Fixture::start().await;
    let first = fixture.post("/orcaops/jobs", &spec("one")).await;
    assert_eq!(first.status, 201);
    let first = first.json();
    assert_eq!((&first["job_id"], &first["status"]), (&json!("one"), &json!("queued")));
    let again = fixture.post("/orcaops/jobs", &spec("one")).await;
    assert_eq!(again.status, 200);
    let again = again.json();
    assert_eq!(again["job_id"], "one");
    let time =
        |v: &serde_json::Value| v["created_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>();
    assert_eq!(time(&first).unwrap(), time(&again).unwrap());
}

#[tokio::test]
async fn a_taken_id_with_another_spec_is_a_conflict() {
    let fixture = Fixture::start().await;
    fixture.submit(&spec("one")).await;
    let mut other = spec("one");
    other["commands"] = json!([{"command": "false"}]);
    let problem = fixture.post("/orcaops/jobs", &other).await.problem(409, "job_id_taken");
    assert!(problem["detail"].as_str().unwrap().contains("`one`"));
}

#[tokio::test]
async fn an_absent_id_is_generated_and_a_later_one_sorts_later() {
    let fixture = Fixture::start().await;
    let mut spec = spec("x");
    spec.as_object_mut().unwrap().remove("job_id");
    let ids: Vec<JobId> = [fixture.submit(&spec).await, fixture.submit(&spec).await].into();
    assert!(ids[0] < ids[1], "{ids:?}");
}

#[tokio::test]
async fn all_wrong_fields_are_named_at_once() {
    let fixture = Fixture::start().await;
    let bad = json!({
        "job_id": "-bad", "sandbox": {"image": "", "envv": {}}, "commands": [{"command": " "}], "ttl_seconds": 1
    });
    let problem = fixture.post("/orcaops/jobs", &bad).await.problem(422, "invalid_spec");
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    for pointer in ["/job_id", "/sandbox/image", "/sandbox/envv", "/commands/0/command", "/ttl_seconds"] {
        assert!(pointers.contains(&pointer), "{pointer} is not among {pointers:?}");
    }
}

#[tokio::test]
async fn an_upload_that_does_not_exist_is_named() {
    let fixture = Fixture::start().await;
    let mut spec = spec("one");
    let object = format!("uploads/{}", "0".repeat(64));
    spec["inputs"] = json!([{"path": "a", "content": "x"}, {"path": "b", "object": object}]);
    let problem = fixture.post("/orcaops/jobs", &spec).await.problem(422, "invalid_spec");
    assert_eq!(problem["errors"][0]["pointer"], "/inputs/1/object");
    fixture.get("/orcaops/jobs/one").await.problem(404, "job_not_found");
}

#[tokio::test]
async fn an_accepted_job_reaches_a_worker() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let player = Player::take(&fixture).await;
    assert_eq!((player.job, player.attempt.dispatch), (job, 1));
}

#[tokio::test]
async fn while_the_database_is_away_submissions_are_told_to_come_again() {
    let fixture = Fixture::start().await;
    fixture.store.away(true);
    let answer = fixture.post("/orcaops/jobs", &spec("one")).await;
    let problem = answer.problem(503, "store_unavailable");
    assert!(!problem.to_string().contains("secret"), "{problem}");
    assert!(answer.header("retry-after").parse::<u32>().is_ok());
    fixture.store.away(false);
    fixture.submit(&spec("one")).await;
}
