//! The client against a server that plays a script.

use orcaops_common::domain::job::{JobCommand, JobSpec};
use orcaops_common::domain::log::{LogFilter, LogStream};
use orcaops_common::domain::run::ArtifactMetadata;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// Answers one connection with each of these, then hangs up; what was asked.
async fn server(answers: Vec<String>) -> (Client, JoinHandle<Vec<String>>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()), Some("the-key")).unwrap();
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut connection, _) = listener.accept().await.unwrap();
            asked.push(request(&mut connection).await);
            connection.write_all(answer.as_bytes()).await.unwrap();
            connection.shutdown().await.unwrap();
        }
        asked
    });
    (client, asked)
}

/// Reads a request: its head and as much of a body as it announces.
async fn request(connection: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        connection.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            return text;
        }
    }
}

fn answer(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// A stream has no length: it ends when the connection does.
fn stream(events: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{events}")
}

fn line(id: &str, text: &str) -> String {
    format!("id: {id}\ndata: {{\"stream\":\"stdout\",\"line\":\"{text}\",\"attempt\":\"1.1\"}}\n\n")
}

#[tokio::test]
async fn a_log_goes_on_right_after_the_last_line_when_the_connection_breaks() {
    let done = "event: done\ndata: {\"status\":\"success\"}\n\n";
    let half = "id: 9-9\ndata: {\"stream\":\"std";
    let (client, asked) = server(vec![
        stream(&format!("{}{}{half}", line("0-1", "a"), line("7-0", "b"))),
        answer("503 Service Unavailable", "application/problem+json", r#"{"title":"away","status":503}"#),
        stream(&format!("{}{done}", line("9-9", "c"))),
    ])
    .await;
    let mut reader = LogReader::new(client, "job", Selection::default());
    let mut lines = Vec::new();
    while let LogEvent::Line(line) = reader.next().await.unwrap() {
        lines.push(line.line);
    }
    assert_eq!(lines, ["a", "b", "c"]);
    let asked = asked.await.unwrap();
    assert!(
        asked.iter().all(|r| r.starts_with("get /orcaops/jobs/job/logs/stream http/1.1\r\n")),
        "{asked:?}"
    );
    let after: Vec<_> =
        asked.iter().filter_map(|r| r.lines().find_map(|l| l.strip_prefix("last-event-id: "))).collect();
    assert_eq!(after, ["0-0", "7-0", "7-0"]);
}

#[tokio::test]
async fn a_tail_is_asked_for_until_a_line_has_come_and_a_filter_always() {
    let done = "event: done\ndata: {\"status\":\"success\"}\n\n";
    let (client, asked) = server(vec![stream(""), stream(&line("7-0", "b")), stream(done)]).await;
    let filter = LogFilter { steps: vec![0, 2], streams: vec![LogStream::Stderr] };
    let mut reader = LogReader::new(client, "job", Selection { tail: Some(5), filter });
    assert!(matches!(reader.next().await.unwrap(), LogEvent::Line(_)));
    assert!(matches!(reader.next().await.unwrap(), LogEvent::Done));
    let asked = asked.await.unwrap();
    let first = "get /orcaops/jobs/job/logs/stream?step=0&step=2&stream=stderr&tail=5 http/1.1\r\n";
    assert!(asked.iter().all(|r| r.starts_with(first)), "{asked:?}");
    let after = |r: &String| r.lines().find_map(|l| l.strip_prefix("last-event-id: ").map(str::to_owned));
    assert_eq!(asked.iter().map(after).collect::<Vec<_>>(), [None, None, Some("7-0".to_owned())]);
}

#[tokio::test]
async fn what_there_is_of_a_log_comes_whole_or_is_an_error() {
    let lines = "{\"stream\":\"stdout\",\"line\":\"a\"}\n{\"stream\":\"stderr\",\"line\":\"\",\"bytes\":\"/w==\",\"partial\":true}\n";
    let half = &lines[..lines.len() - 9];
    let (client, asked) = server(vec![
        answer("200 OK", "application/x-ndjson", lines),
        answer("200 OK", "application/x-ndjson", half),
    ])
    .await;
    let mut log = LogSoFar::open(&client, "job", &Selection::default()).await.unwrap();
    assert_eq!(&*log.next().await.unwrap().unwrap().content(), b"a");
    let last = log.next().await.unwrap().unwrap();
    assert_eq!((&*last.content(), last.partial), (&b"\xff"[..], true));
    assert!(log.next().await.unwrap().is_none());
    let mut log = LogSoFar::open(&client, "job", &Selection::default()).await.unwrap();
    assert!(log.next().await.unwrap().is_some());
    assert!(matches!(log.next().await, Err(ClientError::Broken { .. })));
    let asked = asked.await.unwrap();
    assert!(asked[0].starts_with("get /orcaops/jobs/job/logs http/1.1\r\n"), "{asked:?}");
    assert!(asked[0].contains("accept: application/x-ndjson\r\n"), "{asked:?}");
}

#[tokio::test]
async fn a_submission_is_repeated_as_it_was_when_the_service_is_away_for_a_moment() {
    let away = r#"{"title":"Database out of reach","status":503,"detail":"try again"}"#;
    let (client, asked) = server(vec![
        answer("503 Service Unavailable", "application/problem+json", away),
        answer("201 Created", "application/json", r#"{"job_id":"mine","status":"queued"}"#),
    ])
    .await;
    let mut spec = JobSpec::new("alpine", vec![JobCommand::shell("true")]);
    spec.job_id = Some("mine".parse().unwrap());
    assert_eq!(client.submit(&spec).await.unwrap().is.job_id.as_str(), "mine");
    let asked = asked.await.unwrap();
    assert_eq!(asked[0], asked[1]);
    assert!(asked[0].contains("authorization: bearer the-key"), "{}", asked[0]);
}

#[tokio::test]
async fn what_does_not_answer_as_an_api_is_said_to_be_none() {
    let (client, _) = server(vec![
        answer("404 Not Found", "text/html", "<h1>nginx</h1>"),
        answer("200 OK", "application/json", r#"{"hello":1}"#),
    ])
    .await;
    let error = client.status("job").await.unwrap_err().to_string();
    assert!(error.ends_with("answered 404, and not as an OrcaOps API does; is it one?"), "{error}");
    let error = client.status("job").await.unwrap_err().to_string();
    assert!(error.contains("what this version of orcaops cannot read"), "{error}");
}

#[tokio::test]
async fn a_file_is_there_whole_and_right_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = ArtifactMetadata {
        name: "b.txt".into(),
        path: "a/b.txt".into(),
        size_bytes: 5,
        sha256: hex::encode(Sha256::digest("right")),
        mode: None,
    };
    let (client, asked) = server(vec![
        answer("200 OK", "application/octet-stream", "wrong"),
        answer("200 OK", "application/octet-stream", "right"),
    ])
    .await;
    let target = place(folder.path(), &artifact.path).unwrap();
    let error = client.download("job", &artifact, &target).await.unwrap_err();
    assert!(matches!(error, ClientError::Corrupt { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 0, "nothing is left behind");
    client.download("job", &artifact, &target).await.unwrap();
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "right");
    assert!(asked.await.unwrap()[1].starts_with("get /orcaops/jobs/job/artifacts/a/b.txt http/1.1"));
}

#[test]
fn an_artifacts_path_cannot_lead_out_of_the_folder() {
    for bad in ["../x", "/etc/passwd", "a/../../x"] {
        assert!(place(std::path::Path::new("here"), bad).is_err(), "{bad}");
    }
}
