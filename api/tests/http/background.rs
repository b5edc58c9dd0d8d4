//! What goes on behind the requests: scheduler and mirror.

use orcaops_common::bus::Bus;
use orcaops_common::domain::event::EventBody;
use orcaops_common::domain::log::LogStream::Stdout;
use orcaops_common::domain::run::{JobStatus, RunRecord};
use serde_json::Value;

use crate::support::{Fixture, Player, eventually, spec};

fn read_json(path: std::path::PathBuf) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[tokio::test]
async fn a_run_that_could_not_be_published_is_accepted_and_published_later() {
    let fixture = Fixture::start().await;
    fixture.bus.refuse_jobs(true);
    let job = fixture.submit(&spec("one")).await;
    fixture.bus.refuse_jobs(false);
    let player = Player::take(&fixture).await;
    assert_eq!((player.job, player.attempt.dispatch), (job, 1));
}

#[tokio::test]
async fn a_run_handed_back_is_dispatched_again() {
    let fixture = Fixture::start().await;
    fixture.submit(&spec("one")).await;
    let mut first = Player::start(&fixture).await;
    first.say(EventBody::HandedBack { drain: true, reason: "the worker goes away".to_owned() }).await;
    first.release().await;
    let second = Player::take(&fixture).await;
    assert_eq!(second.attempt.dispatch, 2);
}

#[tokio::test]
async fn a_restart_on_a_bus_that_lost_everything_dispatches_again_what_had_not_ended() {
    let first = Fixture::start().await;
    let (queued, running) = (first.submit(&spec("queued")).await, first.submit(&spec("running")).await);
    let mut player = Player::start(&first).await;
    assert_eq!(player.job, queued);
    player.finish(JobStatus::Success).await;
    first.record_when(&queued, "the run ends", |r| r["status"] == "success").await;
    let _player = Player::start(&first).await;
    first.record_when(&running, "the run starts", |r| r["status"] == "running").await;
    first.api.stop().await;

    let second = Fixture::start_in(first.folder.clone(), |_| {}).await;
    let mut player = Player::start(&second).await;
    assert_eq!((&player.job, player.attempt.dispatch), (&running, 2));
    player.finish(JobStatus::Success).await;
    second.record_when(&running, "the run ends", |r| r["status"] == "success").await;
}

#[tokio::test]
async fn an_ended_run_is_written_to_the_layout_and_its_record_follows_later_changes() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    player.print(Stdout, "hello\nworld\n").await;
    player.step(0, "hello\nworld\n").await;
    player.artifact("out/a.txt", b"content").await;
    player.finish(JobStatus::Success).await;
    fixture.mirrored(&job).await;
    let folder = fixture.artifacts().join("one");
    let record = read_json(folder.join("run.json")).unwrap();
    assert_eq!((&record["status"], &record["job_id"]), (&"success".into(), &"one".into()));
    let steps = std::fs::read_to_string(folder.join("steps.jsonl")).unwrap();
    assert_eq!(steps.lines().count(), 1);
    assert_eq!(std::fs::read(folder.join("out/a.txt")).unwrap(), b"content");
    let log = std::fs::read_to_string(folder.join("logs/log.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 2, "{log}");

    player.clean().await;
    eventually("the record is written again", async || {
        read_json(folder.join("run.json")).filter(|record| record["cleanup_status"] == "destroyed")
    })
    .await;
}

#[tokio::test]
async fn a_run_under_way_is_written_as_its_steps_end_and_exact_in_the_end() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    let folder = fixture.artifacts().join("one");
    for steps in 1..=3 {
        player.step(0, &format!("output {steps}\n")).await;
        let written = eventually("the step is in the layout", async || {
            let lines = std::fs::read_to_string(folder.join("steps.jsonl")).ok()?;
            let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
            let record = read_json(folder.join("run.json"))?;
            (lines.len() == steps && record["steps"].as_array()?.len() == steps).then_some((lines, record))
        })
        .await;
        let (lines, record) = written;
        assert_eq!(lines[steps - 1]["stdout"], format!("output {steps}\n"));
        assert_eq!((&record["status"], &record["finished_at"]), (&"running".into(), &Value::Null));
        assert!(!folder.join("logs").exists(), "the log is written at the end");
    }
    player.step(1, "the last\n").await;
    player.finish(JobStatus::Failed).await;
    fixture.mirrored(&job).await;
    let record = |json| serde_json::from_value::<RunRecord>(json).unwrap();
    let written = record(read_json(folder.join("run.json")).unwrap());
    assert_eq!(written.status, JobStatus::Failed);
    assert_eq!(written, record(fixture.record(&job).await));
    assert_eq!(std::fs::read_to_string(folder.join("steps.jsonl")).unwrap().lines().count(), 4);
}

#[tokio::test]
async fn a_new_attempts_steps_replace_those_of_the_attempt_before() {
    let fixture = Fixture::start().await;
    fixture.submit(&spec("one")).await;
    let steps = fixture.artifacts().join("one/steps.jsonl");
    let read = || std::fs::read_to_string(&steps).unwrap_or_default();
    let mut first = Player::start(&fixture).await;
    first.step(0, "first").await;
    first.step(0, "first").await;
    eventually("both steps are written", async || (read().lines().count() == 2).then_some(())).await;
    first.say(EventBody::HandedBack { drain: true, reason: "the worker goes away".to_owned() }).await;
    first.release().await;
    let mut second = Player::start(&fixture).await;
    second.step(0, "second").await;
    eventually("the new step is all there is", async || {
        (read().lines().count() == 1 && read().contains("second")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_run_that_cannot_be_written_now_is_mirrored_once_it_can() {
    let fixture = Fixture::start().await;
    // A file stands where the job's folder must be.
    let obstacle = fixture.artifacts().join("one");
    std::fs::write(&obstacle, "in the way").unwrap();
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    player.finish(JobStatus::Success).await;
    fixture.record_when(&job, "the run ends", |r| r["status"] == "success").await;
    let other = fixture.submit(&spec("two")).await;
    let mut player = Player::start(&fixture).await;
    player.finish(JobStatus::Success).await;
    fixture.mirrored(&other).await;
    let generation = fixture.bus.generation().await.unwrap();
    let waiting = orcaops_common::store::Store::unmirrored(&*fixture.store, &generation, 10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    std::fs::remove_file(&obstacle).unwrap();
    fixture.mirrored(&job).await;
}
