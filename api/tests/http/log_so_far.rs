//! What there is of a log, and which lines of it.

use orcaops_common::bus::Bus;
use orcaops_common::domain::id::JobId;
use orcaops_common::domain::log::LogStream::{Stderr, Stdout, System};
use orcaops_common::domain::run::JobStatus;
use reqwest::{Body, Method};
use serde_json::{Value, json};

use crate::support::{Answer, Fixture, Player, next_data, spec};

const NDJSON: [(&str, &str); 1] = [("accept", "application/x-ndjson")];

async fn json_lines(fixture: &Fixture, path: &str) -> Vec<Value> {
    let answer = fixture.send(Method::GET, path, &NDJSON, Body::default()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/x-ndjson"));
    let text = String::from_utf8(answer.body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn texts(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["line"].as_str().unwrap()).collect()
}

/// A job of two steps that has ended, with words of OrcaOps, of a background process, and bytes of all sorts.
async fn printed(fixture: &Fixture) -> JobId {
    let job = fixture.submit(&spec("one")).await;
    let mut player = Player::start(fixture).await;
    player.print_as(None, System, "pulling\n").await;
    player.print_as(Some(0), Stdout, "a\r\n\x1b[31mred\x1b[0m 10%\r20%\r").await;
    player.print_as(Some(0), Stderr, "oops\n").await;
    player.print_as(Some(0), Stdout, b"\n\xff\xfe\n").await;
    player.print_as(None, Stdout, "from behind\n").await;
    player.print_as(Some(1), Stdout, "b").await;
    player.print_as(Some(1), Stderr, b"\xc3").await;
    player.finish(JobStatus::Success).await;
    job
}

#[tokio::test]
async fn text_is_the_bytes_that_the_job_wrote_and_nothing_else() {
    let fixture = Fixture::start().await;
    let job = printed(&fixture).await;
    for mirrored in [false, true] {
        if mirrored {
            fixture.mirrored(&job).await;
        }
        let text = async |query: &str| fixture.get(&format!("/orcaops/jobs/one/logs{query}")).await;
        let all = text("").await;
        assert_eq!((all.status.as_u16(), all.header("content-type")), (200, "text/plain; charset=utf-8"));
        assert_eq!(all.header("x-content-type-options"), "nosniff");
        let body = |answer: Answer| answer.body;
        // As they come: a line when it is whole, and what has no end at the end.
        assert_eq!(body(all), b"a\r\noops\n\x1b[31mred\x1b[0m 10%\r20%\r\n\xff\xfe\nfrom behind\nb\xc3");
        let out = b"a\r\n\x1b[31mred\x1b[0m 10%\r20%\r\n\xff\xfe\n";
        assert_eq!(body(text("?step=0&stream=stdout").await), out);
        assert_eq!(body(text("?step=0&step=1&stream=stderr").await), b"oops\n\xc3");
        assert_eq!(body(text("?stream=stdout&stream=stderr&tail=3").await), b"from behind\nb\xc3");
        assert_eq!(body(text("?stream=system").await), b"pulling\n");
        assert_eq!(body(text("?step=7").await), b"");
        assert_eq!(body(text("?tail=0").await), b"");
    }
}

#[tokio::test]
async fn json_has_a_line_for_each_with_all_that_is_known_of_it() {
    let fixture = Fixture::start().await;
    let job = printed(&fixture).await;
    let mut seen = Vec::new();
    for mirrored in [false, true] {
        if mirrored {
            fixture.mirrored(&job).await;
        }
        let lines = json_lines(&fixture, "/orcaops/jobs/one/logs").await;
        let replaced = "\u{fffd}";
        let red = "\x1b[31mred\x1b[0m 10%\r20%\r";
        assert_eq!(
            texts(&lines),
            ["pulling", "a\r", "oops", red, "\u{fffd}\u{fffd}", "from behind", "b", replaced]
        );
        assert_eq!((&lines[0]["stream"], &lines[0]["step"]), (&json!("system"), &Value::Null));
        assert_eq!((&lines[4]["bytes"], &lines[4]["partial"]), (&json!("//4="), &Value::Null));
        assert_eq!((&lines[6]["bytes"], &lines[6]["partial"]), (&Value::Null, &json!(true)));
        assert_eq!((&lines[7]["bytes"], &lines[7]["partial"]), (&json!("ww=="), &json!(true)));
        for (n, line) in lines.iter().enumerate() {
            let (rest, _) = fixture.log(&job, "", line["id"].as_str()).await;
            let rest: Vec<&str> = rest.iter().map(|(_, line)| line.as_str()).collect();
            assert_eq!(rest, texts(&lines)[n + 1..], "after {}", line["id"]);
        }
        let tail = json_lines(&fixture, "/orcaops/jobs/one/logs?stream=stderr&tail=2").await;
        assert_eq!(texts(&tail), ["oops", replaced]);
        seen.push(lines);
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_running_jobs_log_goes_as_far_as_it_has_printed() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    assert_eq!(fixture.get("/orcaops/jobs/one/logs").await.body, b"", "it is queued");
    assert!(json_lines(&fixture, "/orcaops/jobs/one/logs").await.is_empty());
    let mut player = Player::start(&fixture).await;
    player.print(Stdout, "one\ntwo\n> ").await;
    player.print(Stderr, "err").await;
    assert_eq!(fixture.get("/orcaops/jobs/one/logs").await.body, b"one\ntwo\n> err");
    assert_eq!(fixture.get("/orcaops/jobs/one/logs?tail=2").await.body, b"> err");
    assert_eq!(fixture.get("/orcaops/jobs/one/logs?tail=1&stream=stdout").await.body, b"> ");
    let lines = json_lines(&fixture, "/orcaops/jobs/one/logs").await;
    assert_eq!(texts(&lines), ["one", "two", "> ", "err"]);
    // What is not whole yet comes again as a whole to who goes on after it.
    player.print(Stdout, "three\n").await;
    player.print(Stderr, "or\n").await;
    let mut rest = fixture.events(&job, "", lines[3]["id"].as_str()).await;
    assert_eq!(next_data(&mut rest).await["line"], "> three");
    assert_eq!(next_data(&mut rest).await["line"], "error");
}

#[tokio::test]
async fn a_stream_sends_the_lines_that_are_asked_for_and_counts_only_them() {
    let fixture = Fixture::start().await;
    let job = printed(&fixture).await;
    for mirrored in [false, true] {
        if mirrored {
            fixture.mirrored(&job).await;
        }
        let lines = async |query: &str, last: Option<&str>| {
            let (lines, done) = fixture.log(&job, query, last).await;
            assert_eq!(done["status"], "success");
            lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>()
        };
        assert_eq!(lines("?stream=stderr", None).await, ["oops", "\u{fffd}"]);
        assert_eq!(lines("?stream=stderr&tail=1", None).await, ["\u{fffd}"]);
        assert_eq!(lines("?stream=system&tail=1", None).await, ["pulling"]);
        assert_eq!(lines("?step=1", None).await, ["b", "\u{fffd}"]);
        assert_eq!(lines("?step=0&step=1&stream=stdout&tail=2", None).await, ["\u{fffd}\u{fffd}", "b"]);
        let (all, _) = fixture.log(&job, "?tail=9", None).await;
        assert_eq!(lines("?stream=stderr", Some(&all[3].0)).await, ["\u{fffd}"]);
    }
}

#[tokio::test]
async fn a_stream_that_is_followed_sends_the_lines_that_are_asked_for() {
    let fixture = Fixture::start().await;
    let job = fixture.submit(&spec("one")).await;
    let mut events = fixture.events(&job, "?step=1&stream=stdout&stream=stderr", None).await;
    let mut player = Player::start(&fixture).await;
    player.print_as(Some(0), Stdout, "0\n").await;
    player.print_as(None, System, "words\n").await;
    player.print_as(Some(1), Stdout, b"\xff\n").await;
    let line = next_data(&mut events).await;
    assert_eq!(
        (&line["line"], &line["bytes"], &line["step"]),
        (&json!("\u{fffd}"), &json!("/w=="), &json!(1))
    );
    assert_eq!(line["partial"], Value::Null);
    player.print_as(Some(1), Stderr, "x".repeat(60_000)).await;
    player.print_as(Some(1), Stderr, "x".repeat(60_000)).await;
    let line = next_data(&mut events).await;
    assert_eq!((line["line"].as_str().unwrap().len(), &line["partial"]), (65536, &json!(true)));
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_a_problem_that_names_the_parameter() {
    let fixture = Fixture::start().await;
    fixture.get("/orcaops/jobs/none/logs").await.problem(404, "job_not_found");
    fixture.submit(&spec("one")).await;
    for path in ["logs", "logs/stream"] {
        for (query, name) in [
            ("step=first", "step"),
            ("step=-1", "step"),
            ("step=0&step=x", "step"),
            ("stream=both", "stream"),
            ("stream=stdout&stream=", "stream"),
            ("tail=10001", "tail"),
            ("tail=-1", "tail"),
        ] {
            let answer = fixture.get(&format!("/orcaops/jobs/one/{path}?{query}")).await;
            let problem = answer.problem(422, "invalid_parameter");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(&format!("`{name}`")), "{query}: {detail}");
        }
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_read_now_is_a_problem_and_one_that_breaks_off_is_no_whole_answer() {
    let fixture = Fixture::start().await;
    let job = printed(&fixture).await;
    fixture.mirrored(&job).await;
    fixture.bus.delete_log(&job).await.unwrap();
    let path = fixture.artifacts().join("one/logs/log.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let response = fixture.client.get(fixture.url("/orcaops/jobs/one/logs")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.bytes().await;
    assert!(body.is_err(), "the rest is lost, and that shows: {body:?}");
}
