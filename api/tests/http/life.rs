//! A job's life, told by events.

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use orcaops_common::bus::{Address, Bus};
use orcaops_common::domain::control::{
    ApiCall, Claimed, Heartbeat, HeartbeatAnswer, RunningAttempt, StopReason, Stopped, WorkerCall,
};
use orcaops_common::domain::event::EventBody;
use orcaops_common::domain::id::PoolName;
use orcaops_common::domain::run::JobStatus;
use orcaops_common::domain::state::Refusal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::{Fixture, PATIENCE, Player, spec};

async fn ask<T: DeserializeOwned>(fixture: &Fixture, question: &impl Serialize) -> T {
    let question = serde_json::to_vec(question).unwrap().into();
    let answer = fixture.bus.request(&Address::Api, question, PATIENCE).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

#[tokio::test]
async fn events_make_the_record() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    fixture.record_when(&job, "the run starts", |r| r["status"] == "running").await;
    player.say(EventBody::ContainerCreated { sandbox_id: "c0ffee".to_owned() }).await;
    player.step(0, "hello").await;
    player.artifact("out/report.xml", b"<ok/>").await;
    player.finish(JobStatus::Success).await;
    player.clean().await;
    let record = fixture.record_when(&job, "the run ends", |r| r["cleanup_status"] == "destroyed").await;
    assert_eq!(record["status"], "success");
    assert_eq!(record["sandbox_id"], "c0ffee");
    assert_eq!(record["steps"][0]["stdout"], "hello");
    assert_eq!(record["artifacts"][0]["path"], "out/report.xml");
    assert_eq!((&record["worker"], &record["end_cause"]), (&json!("player"), &json!("exit")));
    let run = fixture.get("/orcaops/runs/one").await.json();
    assert_eq!((&run["status"], &run["record"]), (&json!("success"), &record));
}

#[tokio::test]
async fn a_result_that_comes_before_its_steps_waits_for_them() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    // The step is numbered and counted, but its event is published after the result's.
    let step = player.step_event(0, "late");
    player.report(JobStatus::Success).await;
    fixture.bus.publish_event(&step).await.unwrap();
    let record = fixture.record_when(&job, "the run ends", |r| r["status"] == "success").await;
    assert_eq!(record["steps"][0]["stdout"], "late");
}

#[tokio::test]
async fn a_queued_job_is_cancelled_at_once_and_stays_so() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let answer = fixture.post("/orcaops/jobs/one/cancel", &Value::Null).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("cancelled")));
    let mut player = Player::take(&fixture).await;
    let event = player.event(EventBody::Started);
    let claimed: Claimed = ask(&fixture, &ApiCall::Claim { event }).await;
    assert_eq!(claimed, Claimed::Refused { refusal: Refusal::Final });
    let again = fixture.post("/orcaops/jobs/one/cancel", &Value::Null).await.json();
    assert_eq!((&again["job_id"], &again["status"]), (&json!(job), &json!("cancelled")));
    fixture.post("/orcaops/jobs/two/cancel", &Value::Null).await.problem(404, "job_not_found");
}

#[tokio::test]
async fn a_running_jobs_worker_is_told_to_stop_it_when_it_is_cancelled() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    fixture.record_when(&job, "the run starts", |r| r["status"] == "running").await;
    let mut questions = fixture.bus.serve(&Address::Worker(player.worker.clone())).await.unwrap();
    let answer = fixture.post("/orcaops/jobs/one/cancel", &Value::Null).await.json();
    assert_eq!(answer["status"], "running");
    let question = tokio::time::timeout(PATIENCE, questions.next()).await.unwrap().unwrap();
    let WorkerCall::Stop(stop) = serde_json::from_slice(&question.payload).unwrap() else {
        panic!("not asked to stop");
    };
    assert_eq!(
        (stop.job_id, stop.attempt, stop.reason),
        (job.clone(), Some(player.attempt), StopReason::Cancelled)
    );
    (question.reply)(serde_json::to_vec(&Stopped { found: true }).unwrap().into()).await;

    let beat = Heartbeat {
        worker: player.worker.clone(),
        pool: PoolName::default(),
        slots: 1,
        version: "test".to_owned(),
        draining: false,
        attempts: vec![RunningAttempt { job_id: job.clone(), attempt: player.attempt }],
    };
    let answer: HeartbeatAnswer = ask(&fixture, &ApiCall::Heartbeat(beat)).await;
    assert_eq!(answer.stop.len(), 1, "a lost call is repaired by the heartbeat");
    player.finish(JobStatus::Cancelled).await;
    fixture.record_when(&job, "the run ends", |r| r["status"] == "cancelled").await;
}

#[tokio::test]
async fn a_claim_starts_the_attempt_and_its_repetition_is_granted_too() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::take(&fixture).await;
    let event = player.event(EventBody::Started);
    for _ in 0..2 {
        let claimed: Claimed = ask(&fixture, &ApiCall::Claim { event: event.clone() }).await;
        assert_eq!(claimed, Claimed::Granted { ttl_expiry: None });
    }
    let record = fixture.record(&job).await;
    assert_eq!(record["status"], "running");

    // A later attempt is told when the job's time, which the first one began, is over.
    let mut later = player.event(EventBody::Started);
    later.attempt.delivery += 1;
    later.number += 1;
    let claimed: Claimed = ask(&fixture, &ApiCall::Claim { event: later }).await;
    let Claimed::Granted { ttl_expiry: Some(expiry) } = claimed else { panic!("{claimed:?}") };
    let recorded: DateTime<Utc> = record["ttl_expiry"].as_str().unwrap().parse().unwrap();
    assert_eq!(expiry, recorded);
}

#[tokio::test]
async fn a_worker_whose_words_count_for_nothing_is_told_to_stop() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    let mut questions = fixture.bus.serve(&Address::Worker(player.worker.clone())).await.unwrap();
    let stale = player.attempt;
    player.attempt.delivery += 1;
    player.say(EventBody::Started).await;
    player.attempt = stale;
    player.step(0, "from the past").await;
    let question = tokio::time::timeout(PATIENCE, questions.next()).await.unwrap().unwrap();
    let WorkerCall::Stop(stop) = serde_json::from_slice(&question.payload).unwrap() else {
        panic!("not asked to stop");
    };
    assert_eq!((stop.attempt, stop.reason), (Some(stale), StopReason::Superseded));
    assert_eq!(fixture.record(&job).await["steps"], json!([]));
}

#[tokio::test]
async fn events_wait_while_the_database_is_away() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    fixture.record_when(&job, "the run starts", |r| r["status"] == "running").await;
    fixture.store.away(true);
    player.step(0, "kept").await;
    player.finish(JobStatus::Success).await;
    fixture.get("/orcaops/jobs/one").await.problem(503, "store_unavailable");
    fixture.store.away(false);
    let record = fixture.record_when(&job, "the run ends", |r| r["status"] == "success").await;
    assert_eq!(record["steps"][0]["stdout"], "kept");
}
