//! Accepting jobs.

use futures_util::future::join_all;

use super::Database;
use super::story::{GENERATION, due_now, job, micros, new_run, record_of};
use crate::domain::run::JobStatus;
use crate::store::Submission;

/// Everything about it can be read back.
pub async fn an_accepted_run_is_queued(database: Database) {
    let store = database.open().await;
    let run = new_run("a");
    assert_eq!(store.submit(&run).await.unwrap(), Submission::Created);
    let record = record_of(&store, &run.job_id).await;
    assert_eq!(record.status, JobStatus::Queued);
    assert_eq!(record.created_at, micros(run.created_at));
    assert_eq!(record.fingerprint.as_ref(), Some(&run.fingerprint));
    assert_eq!(record.image_ref.as_deref(), Some("busybox"));
    assert_eq!(record.pool, run.spec.pool);
    assert_eq!((record.attempt, record.started_at, record.ttl_expiry), (0, None, None));
    assert_eq!((record.worker, record.end_cause, record.error), (None, None, None));
    assert!(record.steps.is_empty() && record.artifacts.is_empty());
    assert_eq!(store.run(&job("b")).await.unwrap(), None);
    assert_eq!(store.attempt(&run.job_id).await.unwrap(), None);
}

/// Whichever handle they come through.
pub async fn of_concurrent_submissions_of_one_id_exactly_one_is_created(database: Database) {
    let handles = [database.open().await, database.open().await];
    let run = new_run("a");
    let answers = join_all((0..24).map(|n| {
        let (store, run) = (handles[n % 2].clone(), run.clone());
        tokio::spawn(async move { store.submit(&run).await.unwrap() })
    }))
    .await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let created = answers.iter().filter(|a| **a == Submission::Created).count();
    let existing = answers.iter().filter(|a| matches!(a, Submission::Existing(_))).count();
    assert_eq!((created, existing), (1, 23));
    assert_eq!(handles[0].count(None).await.unwrap(), 1);
}

/// A client may repeat a submission whose answer it did not get, also after the run has moved on.
pub async fn the_same_id_with_the_same_spec_is_the_existing_run(database: Database) {
    let store = database.open().await;
    let mut run = new_run("a");
    run.spec.sandbox.resources.cpu = Some(0.1);
    run.spec.sandbox.env.insert("Z".to_owned(), "1".to_owned());
    run.spec.sandbox.env.insert("A".to_owned(), "ü\u{1f980}".to_owned());
    store.submit(&run).await.unwrap();
    let record = record_of(&store, &run.job_id).await;
    run.created_at += chrono::Duration::seconds(5);
    run.generation = "another".to_owned();
    assert_eq!(store.submit(&run).await.unwrap(), Submission::Existing(record));
}

/// And nothing of the run changes.
pub async fn the_same_id_with_another_spec_is_taken(database: Database) {
    let store = database.open().await;
    let mut run = new_run("a");
    store.submit(&run).await.unwrap();
    let before = record_of(&store, &run.job_id).await;
    // The fingerprint does not cover the time to live; the spec does.
    run.spec.ttl_seconds += 1;
    assert_eq!(store.submit(&run).await.unwrap(), Submission::Taken);
    assert_eq!(record_of(&store, &run.job_id).await, before);
}

/// Not every database can hold them.
pub async fn nul_characters_in_a_spec_are_replaced_and_known_again(database: Database) {
    let store = database.open().await;
    let mut run = new_run("a");
    run.spec.commands[0].command = Some("printf 'a\0b'".to_owned());
    assert_eq!(store.submit(&run).await.unwrap(), Submission::Created);
    assert!(matches!(store.submit(&run).await.unwrap(), Submission::Existing(_)));
    let message = due_now(&store, GENERATION).await.remove(0);
    assert_eq!(message.spec.commands[0].command.as_deref(), Some("printf 'a\u{fffd}b'"));
}

/// One whose id was taken does not spoil the others, and nothing of it changes.
pub async fn of_several_runs_each_is_accepted_for_itself(database: Database) {
    let store = database.open().await;
    let taken = new_run("b");
    store.submit(&taken).await.unwrap();
    let before = record_of(&store, &taken.job_id).await;
    let runs = [new_run("c"), new_run("b"), new_run("a"), new_run("a")];
    let new = store.submit_new(&runs).await.unwrap();
    assert_eq!((new[0], new[1], new[2] as u8 + new[3] as u8), (true, false, 1));
    assert_eq!(store.count(None).await.unwrap(), 3);
    assert_eq!(record_of(&store, &taken.job_id).await, before);
    let mut due: Vec<_> = due_now(&store, GENERATION).await.into_iter().map(|m| m.job_id).collect();
    due.sort();
    assert_eq!(due, [job("a"), job("b"), job("c")]);
    assert_eq!(record_of(&store, &job("c")).await.created_at, micros(runs[0].created_at));
}

/// In whatever order they name the ids.
pub async fn several_runs_accepted_by_several_at_once_are_each_new_once(database: Database) {
    let handles = [database.open().await, database.open().await];
    let runs: Vec<_> = (0..20).map(|n| new_run(&format!("job-{n}"))).collect();
    let answers = join_all((0..8).map(|n| {
        let (store, mut runs) = (handles[n % 2].clone(), runs.clone());
        if n % 3 == 0 {
            runs.reverse();
        }
        tokio::spawn(async move { store.submit_new(&runs).await.unwrap() })
    }))
    .await;
    let new = answers.into_iter().flat_map(Result::unwrap).filter(|new| *new).count();
    assert_eq!((new, handles[0].count(None).await.unwrap()), (20, 20));
}
