//! What events do to a run.

use chrono::Utc;
use futures_util::future::join_all;

use super::Database;
use super::story::{
    artifact, artifacts, attempt, cleaned, container, event, finished, job, micros, record_of, start, step,
    step_result, submit, tell, tell_all, worker,
};
use crate::domain::control::RunningAttempt;
use crate::domain::event::{Event, EventBody};
use crate::domain::id::JobId;
use crate::domain::run::{CleanupStatus, JobStatus, StepResult};
use crate::domain::state::Refusal;
use crate::store::Recorded;

/// There is nothing that it could change.
pub async fn an_event_of_an_unknown_job_is_refused(database: Database) {
    let store = database.open().await;
    let told = tell(&store, &job("a"), attempt(1, 1), EventBody::Started).await;
    assert_eq!(told, Recorded::Refused(Refusal::Unknown));
    assert_eq!(tell_all(&store, &[]).await, []);
}

/// It has a worker, an attempt and a time to live from then on.
pub async fn a_start_makes_a_run_running(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    let started = event(&job, attempt(1, 1), EventBody::Started);
    assert_eq!(tell_all(&store, std::slice::from_ref(&started)).await, [Recorded::Applied]);
    let record = record_of(&store, &job).await;
    assert_eq!(record.status, JobStatus::Running);
    assert_eq!((record.worker, record.attempt), (Some(worker("w1")), 1));
    assert_eq!(record.started_at, Some(micros(started.at)));
    assert_eq!(record.ttl_expiry, Some(micros(started.at) + chrono::Duration::seconds(3600)));
    assert_eq!(record.waiting_reason, None);
    let current = store.attempt(&job).await.unwrap();
    assert_eq!(current, Some(RunningAttempt { job_id: job, attempt: attempt(1, 1) }));
}

fn life(job: &JobId) -> Vec<Event> {
    let bodies = [
        EventBody::Started,
        container("c1"),
        step(0, "one"),
        step(1, "two"),
        artifacts(&["report.xml", "out/b"]),
        finished(JobStatus::Success, 2, 2),
        cleaned(CleanupStatus::Destroyed),
    ];
    bodies.into_iter().map(|body| event(job, attempt(1, 1), body)).collect()
}

/// Each by itself, and all of them in one batch.
pub async fn an_event_given_twice_counts_once(database: Database) {
    let store = database.open().await;
    let one = submit(&store, "a").await;
    for event in life(&one) {
        assert_eq!(tell_all(&store, std::slice::from_ref(&event)).await, [Recorded::Applied], "{event:?}");
        let record = record_of(&store, &one).await;
        assert_eq!(tell_all(&store, std::slice::from_ref(&event)).await, [Recorded::Duplicate], "{event:?}");
        assert_eq!(record_of(&store, &one).await, record);
    }
    let other = submit(&store, "b").await;
    let twice: Vec<Event> = life(&other).into_iter().flat_map(|e| [e.clone(), e]).collect();
    let told = tell_all(&store, &twice).await;
    for pair in told.chunks(2) {
        assert_eq!(pair, [Recorded::Applied, Recorded::Duplicate]);
    }
    let record = record_of(&store, &other).await;
    assert_eq!((record.steps.len(), record.artifacts.len()), (2, 2));
}

/// Two recorders may both believe that they are the one.
pub async fn the_same_events_recorded_by_two_handles_at_once_count_once(database: Database) {
    let handles = [database.open().await, database.open().await];
    let jobs = join_all((0..5).map(|n| {
        let store = handles[0].clone();
        async move { submit(&store, &format!("job-{n}")).await }
    }))
    .await;
    let events: Vec<Event> = jobs.iter().flat_map(life).collect();
    let tasks = handles.iter().map(|store| {
        let (store, events) = (store.clone(), events.clone());
        tokio::spawn(async move { tell_all(&store, &events).await })
    });
    let told: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    for (n, pair) in told[0].iter().zip(&told[1]).enumerate() {
        let applied = [pair.0, pair.1].iter().filter(|told| ***told == Recorded::Applied).count();
        assert_eq!(applied, 1, "event {n}: {pair:?}");
    }
    for job in jobs {
        let record = record_of(&handles[0], &job).await;
        assert_eq!(record.status, JobStatus::Success);
        assert_eq!((record.steps.len(), record.artifacts.len()), (2, 2));
    }
}

/// A worker that was thought dead can't overwrite its successor.
pub async fn a_stale_attempts_events_are_refused(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 2)).await;
    let before = record_of(&store, &job).await;
    for stale in life(&job) {
        let told = tell_all(&store, std::slice::from_ref(&stale)).await;
        assert_eq!(told, [Recorded::Refused(Refusal::Stale)], "{stale:?}");
    }
    assert_eq!(record_of(&store, &job).await, before);
}

/// The record is that of the later attempt; only the first start stays.
pub async fn a_later_attempt_replaces_a_silent_one(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    tell_all(&store, &life(&job)[..5]).await;
    let first = record_of(&store, &job).await;
    let mut started = event(&job, attempt(1, 2), EventBody::Started);
    started.worker = worker("w2");
    assert_eq!(tell_all(&store, &[started]).await, [Recorded::Applied]);
    let second = record_of(&store, &job).await;
    assert_eq!(second.status, JobStatus::Running);
    assert_eq!((second.attempt, second.worker), (2, Some(worker("w2"))));
    assert_eq!((second.sandbox_id, second.cleanup_status), (None, None));
    assert!(second.steps.is_empty() && second.artifacts.is_empty());
    assert_eq!((second.started_at, second.ttl_expiry), (first.started_at, first.ttl_expiry));
}

/// Whatever it says first.
pub async fn an_attempt_whose_start_was_lost_is_started_by_what_it_says(database: Database) {
    let store = database.open().await;
    for (name, first) in [("a", container("c")), ("b", step(0, "")), ("c", artifacts(&["x"]))] {
        let job = submit(&store, name).await;
        assert_eq!(tell(&store, &job, attempt(1, 1), first).await, Recorded::Applied);
        let record = record_of(&store, &job).await;
        assert_eq!((record.status, record.attempt), (JobStatus::Running, 1));
        assert!(record.started_at.is_some());
        assert_eq!(tell(&store, &job, attempt(1, 1), EventBody::Started).await, Recorded::Duplicate);
    }
    let job = submit(&store, "d").await;
    let told = tell(&store, &job, attempt(1, 1), finished(JobStatus::Failed, 0, 0)).await;
    assert_eq!(told, Recorded::Applied);
    assert_eq!(record_of(&store, &job).await.status, JobStatus::Failed);
}

/// However many jobs it speaks of.
pub async fn a_batch_is_applied_and_answered_in_order(database: Database) {
    let store = database.open().await;
    let mut events = Vec::new();
    for n in 0..30 {
        let job = submit(&store, &format!("job-{n}")).await;
        events.extend(life(&job));
    }
    let unknown = event(&job("unknown"), attempt(1, 1), EventBody::Started);
    events.insert(100, unknown);
    let told = tell_all(&store, &events).await;
    for (n, told) in told.into_iter().enumerate() {
        let expected = if n == 100 { Recorded::Refused(Refusal::Unknown) } else { Recorded::Applied };
        assert_eq!(told, expected, "event {n}");
    }
    assert_eq!(store.count(Some(JobStatus::Success)).await.unwrap(), 30);
}

/// Each names all the jobs, in orders of their own.
pub async fn batches_that_cross_do_not_block_each_other(database: Database) {
    let handles = [database.open().await, database.open().await];
    let mut jobs = Vec::new();
    for n in 0..12 {
        jobs.push(submit(&handles[0], &format!("job-{n}")).await);
    }
    let tasks = (0..12).map(|n| {
        let store = handles[n % 2].clone();
        let mut jobs = jobs.clone();
        jobs.rotate_left(n);
        if n % 2 == 1 {
            jobs.reverse();
        }
        let index = u32::try_from(n).unwrap();
        let events: Vec<_> = jobs.iter().map(|j| event(j, attempt(1, 1), step(index, "x"))).collect();
        tokio::spawn(async move { tell_all(&store, &events).await })
    });
    for told in join_all(tasks).await {
        assert!(told.unwrap().into_iter().all(|t| t == Recorded::Applied));
    }
    for job in &jobs {
        assert_eq!(record_of(&handles[1], job).await.steps.len(), 12);
    }
}

/// Whatever the order of their arrival.
pub async fn steps_are_ordered_by_index(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    for index in [10, 2, 0, 1] {
        tell(&store, &job, attempt(1, 1), step(index, &index.to_string())).await;
    }
    let stdout: Vec<_> = record_of(&store, &job).await.steps.into_iter().map(|s| s.stdout).collect();
    assert_eq!(stdout, ["0", "1", "2", "10"]);
}

/// Bytewise, as everywhere.
pub async fn artifacts_are_ordered_by_path(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    tell(&store, &job, attempt(1, 1), artifacts(&["b/x", "é"])).await;
    tell(&store, &job, attempt(1, 1), artifacts(&["a", "Z", "b-x"])).await;
    let found = record_of(&store, &job).await.artifacts;
    assert_eq!(found, ["Z", "a", "b-x", "b/x", "é"].map(artifact));
}

/// All of its fields, absent ones too.
pub async fn a_step_comes_back_as_it_was_given(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    let full = StepResult {
        exit_code: 137,
        signal: Some(9),
        stderr: "ü\r\n\t\u{1f980}'\"\\".to_owned(),
        duration_seconds: 1.0e-9,
        ..step_result("out")
    };
    let bare = StepResult {
        exit_code: -1,
        cpu_seconds: None,
        max_rss_bytes: None,
        index: Some(1),
        name: None,
        success: None,
        ..step_result("")
    };
    for (index, result) in [(0, &full), (1, &bare)] {
        let body = EventBody::StepEnded { index, result: Box::new(result.clone()) };
        tell(&store, &job, attempt(1, 1), body).await;
    }
    assert_eq!(record_of(&store, &job).await.steps, [full, bare]);
}

/// Not every database can hold them.
pub async fn nul_characters_in_output_are_replaced(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    tell(&store, &job, attempt(1, 1), step(0, "a\0b\0")).await;
    tell(&store, &job, attempt(1, 1), artifacts(&["x\0y"])).await;
    let record = record_of(&store, &job).await;
    assert_eq!(record.steps[0].stdout, "a\u{fffd}b\u{fffd}");
    assert_eq!(record.artifacts[0].path, "x\u{fffd}y");
}

/// An event must not be refused for ever because of a number in it.
pub async fn numbers_beyond_the_databases_range_are_cut(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    let result = StepResult {
        stdout_bytes: u64::MAX,
        max_rss_bytes: Some(u64::MAX),
        duration_seconds: f64::NAN,
        cpu_seconds: Some(f64::INFINITY),
        timestamp: Utc::now(),
        ..step_result("")
    };
    let body = EventBody::StepEnded { index: u32::MAX, result: Box::new(result) };
    assert_eq!(tell(&store, &job, attempt(u32::MAX, u32::MAX), body).await, Recorded::Applied);
    let step = record_of(&store, &job).await.steps.remove(0);
    assert_eq!((step.stdout_bytes, step.max_rss_bytes), (i64::MAX as u64, Some(i64::MAX as u64)));
    assert_eq!((step.duration_seconds, step.cpu_seconds), (0.0, None));
}

/// An index entry may be too short for it.
pub async fn the_longest_artifact_path_is_kept(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    let mut random = fastrand::Rng::with_seed(7);
    let long: String = std::iter::repeat_with(|| random.alphanumeric()).take(4096).collect();
    assert_eq!(tell(&store, &job, attempt(1, 1), artifacts(&[&long])).await, Recorded::Applied);
    assert_eq!(tell(&store, &job, attempt(1, 1), artifacts(&[&long])).await, Recorded::Duplicate);
    assert_eq!(record_of(&store, &job).await.artifacts[0].path, long);
}
