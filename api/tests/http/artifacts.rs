//! Artifacts.

use orcaops_common::bus::Bus;
use orcaops_common::domain::id::JobId;
use orcaops_common::domain::message::artifact_object;
use orcaops_common::domain::run::JobStatus;
use reqwest::{Body, Method};
use sha2::{Digest, Sha256};

use crate::support::{Fixture, Player, spec};

const REPORT: &[u8] = b"<report>\xff\x00</report>";

async fn finished(fixture: &Fixture) -> JobId {
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(fixture).await;
    player.artifact("out/deep/report.xml", REPORT).await;
    player.artifact("empty", b"").await;
    player.finish(JobStatus::Success).await;
    fixture.record_when(&job, "the run ends", |r| r["status"] == "success").await;
    job
}

#[tokio::test]
async fn artifacts_are_listed_and_come_back_byte_for_byte_before_and_after_mirroring() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    player.artifact("out/deep/report.xml", REPORT).await;
    player.artifact("empty", b"").await;
    fixture.record_when(&job, "artifacts are known", |r| r["artifacts"].as_array().unwrap().len() == 2).await;
    let object = artifact_object(&job, player.attempt, "out/deep/report.xml");
    for mirrored in [false, true] {
        if mirrored {
            player.finish(JobStatus::Success).await;
            fixture.mirrored(&job).await;
            crate::support::eventually("the object goes", async || {
                fixture.bus.object_info(&object).await.err()
            })
            .await;
        }
        let list = fixture.get("/orcaops/jobs/one/artifacts").await.json();
        assert_eq!((&list["job_id"], &list["count"]), (&"one".into(), &2.into()));
        let answer = fixture.get("/orcaops/jobs/one/artifacts/out/deep/report.xml").await;
        assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, REPORT), "mirrored: {mirrored}");
        assert_eq!(answer.header("content-length"), REPORT.len().to_string());
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-disposition").starts_with("attachment; filename=\"report.xml\""));
        let tag = format!("\"{}\"", hex::encode(Sha256::digest(REPORT)));
        assert_eq!(answer.header("etag"), tag);
        let known = [("if-none-match", tag.as_str())];
        let path = "/orcaops/jobs/one/artifacts/out%2Fdeep%2Freport.xml";
        assert_eq!(fixture.send(Method::GET, path, &known, Body::default()).await.status, 304);
        assert_eq!(fixture.get("/orcaops/jobs/one/artifacts/empty").await.body, b"");
    }
}

#[tokio::test]
async fn a_path_that_leaves_the_jobs_folder_is_refused() {
    let fixture = Fixture::start().await;
    finished(&fixture).await;
    for path in ["..%2F..%2Forcaops.db", "%2Fetc%2Fpasswd", "out%2F..%2F..%2Ftwo%2Frun.json", "%2E%2E%2Fx"] {
        let answer = fixture.get(&format!("/orcaops/jobs/one/artifacts/{path}")).await;
        answer.problem(400, "path_outside_job");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_is() {
    let fixture = Fixture::start().await;
    finished(&fixture).await;
    let problem =
        fixture.get("/orcaops/jobs/one/artifacts/nope.txt").await.problem(404, "artifact_not_found");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`out/deep/report.xml`") && detail.contains("`empty`"), "{detail}");
    fixture.get("/orcaops/jobs/none/artifacts").await.problem(404, "job_not_found");
    fixture.get("/orcaops/jobs/none/artifacts/x").await.problem(404, "job_not_found");
}
