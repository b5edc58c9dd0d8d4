//! Log streams.

use orcaops_common::domain::id::JobId;
use orcaops_common::domain::log::LogStream::{Stderr, Stdout};
use orcaops_common::domain::run::JobStatus;
use serde_json::{Value, json};

use crate::support::{Fixture, Player, eventually, next_data, next_event, spec};

fn texts(lines: &[(String, String)]) -> Vec<&str> {
    lines.iter().map(|(_, line)| line.as_str()).collect()
}

/// A job that has printed lines cut across chunks and interleaved over two streams, and has ended.
async fn printed(fixture: &Fixture) -> JobId {
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(fixture).await;
    player.print(Stdout, "one\ntw").await;
    player.print(Stderr, "err ").await;
    player.print(Stdout, "o\nthree\nfo").await;
    player.print(Stderr, "or\nnext\n").await;
    player.print(Stdout, "ur\n").await;
    player.print(Stdout, "five\nsix\n").await;
    player.print(Stdout, "no end").await;
    player.finish(JobStatus::Success).await;
    job
}

const PRINTED: [&str; 9] = ["one", "two", "three", "err or", "next", "four", "five", "six", "no end"];

#[tokio::test]
async fn a_queued_jobs_stream_waits_and_then_follows_until_done() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut events = fixture.events(&job, "", None).await;
    let mut player = Player::start(&fixture).await;
    player.print(Stdout, "hel").await;
    player.print(Stdout, "lo\n").await;
    let data = next_data(&mut events).await;
    assert_eq!(
        (&data["line"], &data["stream"], &data["step"]),
        (&json!("hello"), &json!("stdout"), &json!(0))
    );
    assert_eq!(data["attempt"], "1.1");
    assert!(data["timestamp"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().is_ok());
    player.print(Stderr, "oops\n").await;
    assert_eq!(next_data(&mut events).await["stream"], "stderr");
    player.finish(JobStatus::Failed).await;
    let done = next_event(&mut events).await.unwrap();
    assert_eq!(done.event, "done");
    assert_eq!(
        serde_json::from_str::<Value>(&done.data).unwrap(),
        json!({"job_id": "one", "status": "failed"})
    );
    assert!(next_event(&mut events).await.is_none());
}

#[tokio::test]
async fn a_tail_gives_the_last_lines_so_far_and_then_follows() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    player.print(Stdout, "1\n2\n3\n4\n").await;
    let mut two = fixture.events(&job, "?tail=2", None).await;
    assert_eq!(next_data(&mut two).await["line"], "3");
    assert_eq!(next_data(&mut two).await["line"], "4");
    player.print(Stdout, "5\n").await;
    assert_eq!(next_data(&mut two).await["line"], "5");
}

#[tokio::test]
async fn a_tail_of_no_lines_gives_only_what_is_printed_from_then_on() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    player.print(Stdout, "past\n").await;
    let mut events = fixture.events(&job, "?tail=0", None).await;
    // What is printed while the stream opens may count as past.
    let first = eventually("a line comes", async || {
        player.print(Stdout, "future\n").await;
        futures_util::FutureExt::now_or_never(next_data(&mut events))
    })
    .await;
    assert_eq!(first["line"], "future");
}

#[tokio::test]
async fn a_stream_resumes_after_every_line_before_and_after_mirroring() {
    let fixture = Fixture::start().await;
    let job = printed(&fixture).await;
    for mirrored in [false, true] {
        if mirrored {
            fixture.mirrored(&job).await;
        }
        let (lines, done) = fixture.log(&job, "?tail=0", Some("0-0")).await;
        assert_eq!(texts(&lines), PRINTED, "mirrored: {mirrored}");
        assert_eq!(done, json!({"job_id": "one", "status": "success"}));
        for n in 0..lines.len() {
            let (rest, _) = fixture.log(&job, "", Some(&lines[n].0)).await;
            assert_eq!(rest, lines[n + 1..], "after {}", lines[n].0);
        }
        let (tail, _) = fixture.log(&job, "?tail=4", None).await;
        assert_eq!(tail, lines[lines.len() - 4..]);
        let (all, _) = fixture.log(&job, "?tail=10000", None).await;
        assert_eq!(all, lines);
    }
}

#[tokio::test]
async fn a_live_stream_resumes_in_the_middle_of_a_partial_line() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    player.print(Stdout, "a\nb\npar").await;
    player.print(Stderr, "x\ny\n").await;
    let mut events = fixture.events(&job, "", Some("0-0")).await;
    let mut last = String::new();
    for line in ["a", "b", "x"] {
        let event = next_event(&mut events).await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&event.data).unwrap()["line"], line);
        last = event.id;
    }
    drop(events);
    player.print(Stdout, "tial\n").await;
    player.finish(JobStatus::Success).await;
    let (rest, _) = fixture.log(&job, "", Some(&last)).await;
    assert_eq!(texts(&rest), ["y", "partial"]);
}

#[tokio::test]
async fn the_log_of_a_job_cancelled_in_the_queue_is_empty_and_ends() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    fixture.post("/orcaops/jobs/one/cancel", &Value::Null).await;
    let (lines, done) = fixture.log(&job, "", None).await;
    assert_eq!((lines.len(), &done["status"]), (0, &json!("cancelled")));
}

#[tokio::test]
async fn a_run_whose_worker_died_without_a_word_ends_its_stream_too() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    player.print(Stdout, "last words\nand more").await;
    player.report(JobStatus::Failed).await;
    let (lines, done) = fixture.log(&job, "", None).await;
    assert_eq!(texts(&lines), ["last words", "and more"]);
    assert_eq!(done["status"], "failed");
}

#[tokio::test]
async fn a_stream_after_a_line_that_never_was_ends_too() {
    let fixture = Fixture::start().await;
    let job = printed(&fixture).await;
    for id in ["7-3", "9000000000000000000-18446744073709551615"] {
        let (_, done) = fixture.log(&job, "", Some(id)).await;
        assert_eq!(done["status"], "success", "after {id}");
    }
}

#[tokio::test]
async fn a_service_that_stops_ends_streams_without_done() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    let mut events = fixture.events(&job, "", None).await;
    player.print(Stdout, "so far\n").await;
    assert_eq!(next_data(&mut events).await["line"], "so far");
    fixture.api.stop().await;
    assert!(next_event(&mut events).await.is_none());
    fixture.api.stop().await;
}

#[tokio::test]
async fn what_no_stream_can_be_opened_for_is_a_problem() {
    let fixture = Fixture::start().await;
    fixture.get("/orcaops/jobs/none/logs/stream").await.problem(404, "job_not_found");
    fixture.submit(&spec("one")).await;
    let path = "/orcaops/jobs/one/logs/stream";
    fixture.get(&format!("{path}?tail=10001")).await.problem(422, "invalid_parameter");
    for id in ["yesterday", "1", "-1-0", "18446744073709551615-0"] {
        let headers = [("last-event-id", id)];
        let answer = fixture.send(reqwest::Method::GET, path, &headers, reqwest::Body::default()).await;
        answer.problem(422, "invalid_parameter");
    }
}

const LINES: usize = 40_000;

/// Prints a few megabytes.
async fn print_much(player: &mut Player<'_>) {
    let mut chunk = String::new();
    for n in 0..LINES {
        chunk.push_str(&format!("{n:0100}\n"));
        if chunk.len() > 60_000 {
            player.print(Stdout, &chunk).await;
            chunk.clear();
        }
    }
    player.print(Stdout, &chunk).await;
}

#[tokio::test]
async fn megabytes_of_output_arrive_whole_and_in_order_beside_a_client_that_does_not_read() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(&fixture).await;
    let mut slow = fixture.events(&job, "", Some("0-0")).await;
    let reader = fixture.log(&job, "", Some("0-0"));
    let writer = async {
        print_much(&mut player).await;
        player.finish(JobStatus::Success).await;
    };
    let ((lines, _), ()) = tokio::join!(reader, writer);
    assert_eq!(lines.len(), LINES);
    assert!(lines.iter().enumerate().all(|(n, (_, line))| *line == format!("{n:0100}")));
    for n in 0..LINES {
        assert_eq!(next_data(&mut slow).await["line"], format!("{n:0100}"));
    }
}
