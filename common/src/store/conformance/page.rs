//! Lists of runs.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::Database;
use super::story::{Handle, artifacts, attempt, finish, job, new_run, start, step, submit, tell};
use crate::domain::id::JobId;
use crate::domain::run::{JobStatus, RunRecord};
use crate::store::{RunCursor, RunQuery};

async fn submit_at(store: &Handle, name: &str, at: DateTime<Utc>) -> JobId {
    let mut run = new_run(name);
    run.created_at = at;
    store.submit(&run).await.unwrap();
    run.job_id
}

fn first(limit: u32) -> RunQuery {
    RunQuery { limit, ..RunQuery::default() }
}

fn cursor(record: &RunRecord) -> RunCursor {
    RunCursor { created_at: record.created_at, job_id: record.job_id.clone() }
}

fn names(records: &[RunRecord]) -> Vec<&str> {
    records.iter().map(|r| r.job_id.as_str()).collect()
}

/// By their submission.
pub async fn runs_come_newest_first(database: Database) {
    let store = database.open().await;
    let now = Utc::now();
    for (name, age) in [("b", 2), ("c", 1), ("a", 3)] {
        submit_at(&store, name, now - chrono::Duration::seconds(age)).await;
    }
    let page = store.runs(&first(10)).await.unwrap();
    assert_eq!(names(&page), ["c", "b", "a"]);
    assert_eq!(names(&store.runs(&first(2)).await.unwrap()), ["c", "b"]);
    assert_eq!(store.run(&job("c")).await.unwrap().as_ref(), page.first());
}

/// Bytewise, the greatest first, and a key splits them as well as any others.
pub async fn runs_of_one_time_are_ordered_by_id(database: Database) {
    let store = database.open().await;
    let now = Utc::now();
    for name in ["a", "B", "0", "a-b", "a_b", "ab"] {
        submit_at(&store, name, now).await;
    }
    let all = store.runs(&first(10)).await.unwrap();
    assert_eq!(names(&all), ["ab", "a_b", "a-b", "a", "B", "0"]);
    for (n, record) in all.iter().enumerate() {
        let query = RunQuery { after: Some(cursor(record)), ..first(10) };
        assert_eq!(store.runs(&query).await.unwrap(), all[n + 1..]);
    }
}

/// Those that were there when the walk began.
pub async fn a_page_walked_by_key_while_runs_arrive_misses_none_and_repeats_none(database: Database) {
    let (store, other) = (database.open().await, database.open().await);
    let mut expected = HashSet::new();
    for n in 0..37 {
        expected.insert(submit(&store, &format!("before-{n}")).await);
    }
    let mut query = first(5);
    let mut seen = Vec::new();
    let mut round = 0;
    loop {
        let page = store.runs(&query).await.unwrap();
        let Some(last) = page.last() else { break };
        query.after = Some(cursor(last));
        seen.extend(page.into_iter().map(|r| r.job_id));
        for n in 0..3 {
            submit(&other, &format!("during-{round}-{n}")).await;
        }
        round += 1;
    }
    assert_eq!(seen.len(), 37);
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), expected);
}

/// The first, and those that follow it.
pub async fn a_status_is_filtered_on_every_page(database: Database) {
    let store = database.open().await;
    for n in 0..12 {
        let job = submit(&store, &format!("job-{n:02}")).await;
        if n % 3 == 0 {
            start(&store, &job, attempt(1, 1)).await;
            finish(&store, &job, attempt(1, 1), JobStatus::Failed).await;
        }
    }
    let mut query = RunQuery { status: Some(JobStatus::Failed), ..first(3) };
    let page = store.runs(&query).await.unwrap();
    assert_eq!(names(&page), ["job-09", "job-06", "job-03"]);
    query.after = page.last().map(cursor);
    assert_eq!(names(&store.runs(&query).await.unwrap()), ["job-00"]);
}

/// For those who still count.
pub async fn an_offset_skips(database: Database) {
    let store = database.open().await;
    for n in 0..5 {
        submit(&store, &format!("job-{n}")).await;
    }
    let page = store.runs(&RunQuery { offset: 2, ..first(2) }).await.unwrap();
    assert_eq!(names(&page), ["job-2", "job-1"]);
    assert!(store.runs(&RunQuery { offset: u64::MAX, ..first(2) }).await.unwrap().is_empty());
}

/// Whatever is asked for.
pub async fn a_page_has_at_least_one_and_at_most_two_hundred_runs(database: Database) {
    let store = database.open().await;
    for n in 0..205 {
        submit(&store, &format!("job-{n}")).await;
    }
    assert_eq!(store.runs(&first(0)).await.unwrap().len(), 1);
    assert_eq!(store.runs(&first(u32::MAX)).await.unwrap().len(), 200);
}

/// Those of its current attempt.
pub async fn each_run_has_its_own_steps_and_artifacts(database: Database) {
    let store = database.open().await;
    for name in ["a", "b", "c"] {
        let job = submit(&store, name).await;
        if name != "c" {
            tell(&store, &job, attempt(1, 1), step(0, "silent")).await;
            tell(&store, &job, attempt(1, 2), step(0, name)).await;
            tell(&store, &job, attempt(1, 2), step(1, name)).await;
            tell(&store, &job, attempt(1, 2), artifacts(&[name])).await;
        }
    }
    for record in store.runs(&first(10)).await.unwrap() {
        let name = record.job_id.as_str();
        let stdout: Vec<_> = record.steps.iter().map(|s| s.stdout.as_str()).collect();
        let paths: Vec<_> = record.artifacts.iter().map(|a| a.path.as_str()).collect();
        if name == "c" {
            assert!(stdout.is_empty() && paths.is_empty());
        } else {
            assert_eq!((stdout, paths), (vec![name, name], vec![name]));
        }
    }
}

/// And in all.
pub async fn runs_are_counted_by_status(database: Database) {
    let store = database.open().await;
    assert_eq!(store.count(None).await.unwrap(), 0);
    for name in ["a", "b", "c"] {
        submit(&store, name).await;
    }
    start(&store, &job("a"), attempt(1, 1)).await;
    assert_eq!(store.count(None).await.unwrap(), 3);
    assert_eq!(store.count(Some(JobStatus::Queued)).await.unwrap(), 2);
    assert_eq!(store.count(Some(JobStatus::Running)).await.unwrap(), 1);
    assert_eq!(store.count(Some(JobStatus::Success)).await.unwrap(), 0);
}
