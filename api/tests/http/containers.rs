//! The list of containers, as several workers make it up.

use futures_util::StreamExt;
use orcaops_common::bus::{Address, Bus};
use orcaops_common::domain::container::Container;
use orcaops_common::domain::control::{Containers, Heartbeat, WorkerCall};
use orcaops_common::domain::event::EventBody;
use orcaops_common::domain::id::{PoolName, WorkerName};
use orcaops_common::domain::run::JobStatus;
use orcaops_common::store::Store;
use serde_json::{Value, json};

use crate::support::{Fixture, Player, spec};

fn name(name: &str) -> WorkerName {
    WorkerName::new(name).unwrap()
}

fn container(id: &str, worker: &str, created_at: i64) -> Container {
    Container {
        id: id.to_owned(),
        names: vec![format!("orcaops-{id}")],
        image: "alpine".to_owned(),
        status: "Up 2 seconds".to_owned(),
        worker: name(worker),
        job_id: None,
        attempt: Some(1),
        created_at: chrono::DateTime::from_timestamp(created_at, 0),
        kept_until: None,
    }
}

/// A worker that is alive, and answers with these containers if there are any.
async fn worker(fixture: &Fixture, worker: &str, containers: Option<Vec<Container>>) {
    let beat = Heartbeat {
        worker: name(worker),
        pool: PoolName::default(),
        slots: 1,
        version: "test".to_owned(),
        draining: false,
        attempts: Vec::new(),
    };
    fixture.store.heartbeat(&beat).await.unwrap();
    let Some(containers) = containers else { return };
    let mut questions = fixture.bus.serve(&Address::Worker(name(worker))).await.unwrap();
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            let call: WorkerCall = serde_json::from_slice(&question.payload).unwrap();
            let WorkerCall::Containers { all } = call else { panic!("{call:?}") };
            let answer = Containers { containers: containers.clone(), left_out: u32::from(!all) };
            (question.reply)(serde_json::to_vec(&answer).unwrap().into()).await;
        }
    });
}

fn ids(list: &Value) -> Vec<&str> {
    list["containers"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn containers_of_all_workers_are_listed_once_and_silent_workers_are_named() {
    let fixture = Fixture::start().await;
    let none = fixture.get("/orcaops/ps").await.json();
    assert_eq!(none, json!({ "containers": [], "count": 0, "silent_workers": [], "left_out": 0 }));

    // Two workers on one host see the same containers.
    let seen = vec![container("a", "one", 1), container("b", "two", 3)];
    worker(&fixture, "one", Some(seen.clone())).await;
    worker(&fixture, "two", Some(seen)).await;
    worker(&fixture, "far", Some(vec![container("c", "far", 2)])).await;
    worker(&fixture, "mute", None).await;
    let list = fixture.get("/orcaops/ps?all=true").await.json();
    assert_eq!(ids(&list), ["b", "c", "a"], "newest first");
    assert_eq!((&list["count"], &list["silent_workers"]), (&json!(3), &json!(["mute"])));
    assert_eq!(fixture.get("/orcaops/ps").await.json()["left_out"], 3);

    let list = fixture.get("/orcaops/ps?worker=two").await.json();
    assert_eq!((ids(&list), &list["silent_workers"]), (vec!["b"], &json!([])), "only that one is asked");
}

#[tokio::test]
async fn a_worker_that_is_gone_may_still_have_containers_on_the_host_of_another() {
    let fixture = Fixture::start().await;
    worker(&fixture, "one", Some(vec![container("a", "one", 1), container("b", "gone", 2)])).await;
    assert_eq!(ids(&fixture.get("/orcaops/ps?worker=gone").await.json()), ["b"]);
    let problem = fixture.get("/orcaops/ps?worker=never").await.problem(404, "worker_not_found");
    assert!(problem["detail"].as_str().unwrap().contains("alive: one"), "{problem}");
    fixture.get("/orcaops/ps?worker=a%20b").await.problem(422, "invalid_parameter");
    fixture.get("/orcaops/ps?all=maybe").await.problem(422, "invalid_parameter");
}

#[tokio::test]
async fn what_became_of_a_container_whose_worker_never_said_is_found_out() {
    let fixture =
        Fixture::start_with(|config| config.settle_after = std::time::Duration::from_millis(200)).await;
    worker(&fixture, "other", Some(vec![container("there", "other", 1)])).await;
    let ends = async |name: &str, sandbox_id: &str, policy: &str| {
        let mut spec = spec(name);
        spec["cleanup_policy"] = json!(policy);
        let job = fixture.submit(&spec).await;
        let mut player = Player::start(&fixture).await;
        player.say(EventBody::ContainerCreated { sandbox_id: sandbox_id.to_owned() }).await;
        player.finish(JobStatus::Success).await;
        job
    };
    // The player's worker is dead: it never sent a heartbeat.
    let seen = ends("seen", "there", "always_remove").await;
    let gone = ends("gone", "gone-1", "always_remove").await;
    let may_be_kept = ends("may-be-kept", "gone-2", "never_remove").await;
    let settled = fixture.record_when(&gone, "is settled", |r| r["cleanup_status"] == "destroyed").await;
    assert_eq!(settled["status"], "success");
    fixture.record_when(&may_be_kept, "is settled", |r| r["cleanup_status"] == "leaked").await;
    let seen = fixture.get(&format!("/orcaops/jobs/{seen}")).await.json();
    assert_eq!(seen["record"]["cleanup_status"], "pending", "it is there yet");
}

#[tokio::test]
async fn a_cancelled_run_of_a_dead_worker_ends_though_nobody_takes_it() {
    let fixture =
        Fixture::start_with(|config| config.settle_after = std::time::Duration::from_millis(200)).await;
    let job = fixture.submit(&spec("one")).await;
    let _dead = Player::start(&fixture).await;
    fixture.record_when(&job, "it runs", |r| r["status"] == "running").await;
    fixture.post(&format!("/orcaops/jobs/{job}/cancel"), &json!({})).await;
    let record = fixture.record_when(&job, "it ends", |r| r["status"] == "cancelled").await;
    assert_eq!(record["end_cause"], "cancelled");
}
