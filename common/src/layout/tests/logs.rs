use std::fs;

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;

use super::*;
use crate::domain::lines::MAX_LINE;
use crate::domain::log::{LogLine, LogStream};

fn line(n: u32, text: &str) -> LogLine {
    LogLine {
        id: format!("{n}-1"),
        timestamp: DateTime::<Utc>::UNIX_EPOCH,
        stream: LogStream::Stderr,
        line: text.to_owned(),
        bytes: None,
        partial: false,
        step: Some(n),
        attempt: "1.2".to_owned(),
    }
}

async fn read(layout: &RunLayout, id: &JobId) -> Vec<Result<LogLine, LayoutError>> {
    layout.read_log(id).await.unwrap().unwrap().collect().await
}

#[tokio::test]
async fn a_log_is_read_as_it_was_written() {
    let (_folder, layout) = layout();
    let id = job("a");
    // The longest that a line's JSON can get.
    let lines = [
        line(0, "x"),
        line(1, ""),
        line(2, "ü \u{fffd}\r\"\\"),
        LogLine { bytes: Some("Yf9i".into()), partial: true, ..line(3, &"\u{1}".repeat(MAX_LINE)) },
        LogLine { bytes: Some("/".repeat(MAX_LINE * 4 / 3 + 4)), ..line(4, &"\u{fffd}".repeat(MAX_LINE)) },
    ];
    let mut log = layout.log_writer(&id).await.unwrap();
    for line in &lines {
        log.append(line).await.unwrap();
    }
    log.finish().await.unwrap();
    let read: Vec<LogLine> = read(&layout, &id).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(read, lines);
    assert_eq!(files(&layout, &id), ["logs/", "logs/log.jsonl"]);
}

#[tokio::test]
async fn a_log_of_lines_that_say_nothing_of_their_bytes_is_read_too() {
    let (_folder, layout) = layout();
    let id = job("a");
    layout.log_writer(&id).await.unwrap().finish().await.unwrap();
    let old = r#"{"id":"1-1","timestamp":"1970-01-01T00:00:00Z","stream":"stderr","line":"x","step":1,"attempt":"1.2"}"#;
    fs::write(layout.folder(&id).join("logs/log.jsonl"), format!("{old}\n")).unwrap();
    let read: Vec<LogLine> = read(&layout, &id).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(read, [line(1, "x")]);
    assert_eq!(serde_json::to_string(&read[0]).unwrap(), old);
}

#[tokio::test]
async fn a_log_appears_when_it_is_finished_and_an_abandoned_one_never() {
    let (_folder, layout) = layout();
    let id = job("a");
    assert!(layout.read_log(&id).await.unwrap().is_none());
    let mut log = layout.log_writer(&id).await.unwrap();
    log.append(&line(0, "x")).await.unwrap();
    assert!(layout.read_log(&id).await.unwrap().is_none());
    drop(log);
    assert_eq!(files(&layout, &id), Vec::<String>::new());

    layout.log_writer(&id).await.unwrap().finish().await.unwrap();
    assert!(read(&layout, &id).await.is_empty());
}

#[tokio::test]
async fn a_log_that_is_damaged_is_read_up_to_there() {
    let (_folder, layout) = layout();
    let id = job("a");
    let mut log = layout.log_writer(&id).await.unwrap();
    log.append(&line(0, "x")).await.unwrap();
    log.finish().await.unwrap();
    let path = layout.folder(&id).join("logs/log.jsonl");
    for damage in ["{\"id\":\"1-1\"".to_owned(), "\0".repeat(9), "x".repeat(3 << 20), "[]\n{}\n".to_owned()] {
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{damage}")).unwrap();
        let read = read(&layout, &id).await;
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].as_ref().unwrap(), &line(0, "x"));
        assert!(matches!(&read[1], Err(LayoutError::Corrupt { path: found, .. }) if *found == path));
        fs::write(&path, whole).unwrap();
    }
}
