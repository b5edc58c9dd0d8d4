//! Why a queued run is not running yet.

use super::Database;
use super::story::{
    Handle, attempt, event, finish, handed_back, heartbeat, record_of, start, submit, tell, tell_all,
};
use crate::domain::id::JobId;
use crate::domain::run::JobStatus;
use crate::store::RunQuery;

async fn reason(store: &Handle, job: &JobId) -> Option<String> {
    let one = record_of(store, job).await;
    let listed = store.runs(&RunQuery { limit: 200, ..RunQuery::default() }).await.unwrap();
    let listed = listed.into_iter().find(|r| r.job_id == *job).unwrap();
    assert_eq!(one, listed);
    one.waiting_reason
}

/// Workers of other pools don't help.
pub async fn with_no_worker_the_pool_is_named(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    let mut beat = heartbeat("w1", &[]);
    beat.pool = "gpu".parse().unwrap();
    store.heartbeat(&beat).await.unwrap();
    assert_eq!(reason(&store, &job).await.as_deref(), Some("no worker in pool `default`"));
}

/// All of its workers' together.
pub async fn a_pool_whose_slots_are_busy_is_full(database: Database) {
    let store = database.open().await;
    let (job, busy) = (submit(&store, "a").await, submit(&store, "b").await);
    let mut one = heartbeat("w1", &[(&busy, attempt(1, 1))]);
    one.slots = 1;
    store.heartbeat(&one).await.unwrap();
    assert_eq!(reason(&store, &job).await.as_deref(), Some("the one slot of pool `default` is busy"));
    let two = heartbeat("w2", &[(&busy, attempt(1, 1)), (&busy, attempt(1, 2))]);
    store.heartbeat(&two).await.unwrap();
    assert_eq!(reason(&store, &job).await.as_deref(), Some("all 3 slots of pool `default` are busy"));
}

/// Its free slots are none.
pub async fn a_draining_worker_takes_nothing(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    let mut beat = heartbeat("w1", &[]);
    beat.draining = true;
    store.heartbeat(&beat).await.unwrap();
    assert_eq!(reason(&store, &job).await.as_deref(), Some("no worker in pool `default`"));
}

/// It is about to be taken.
pub async fn a_free_slot_is_waited_for_in_words(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    store.heartbeat(&heartbeat("w1", &[])).await.unwrap();
    assert_eq!(reason(&store, &job).await.as_deref(), Some("waiting for a worker to take it"));
}

/// Whatever the workers do.
pub async fn a_backoff_says_until_when(database: Database) {
    let store = database.open().await;
    let mut run = super::story::new_run("a");
    run.spec.retry.max_attempts = 100;
    store.submit(&run).await.unwrap();
    let job = run.job_id;
    store.heartbeat(&heartbeat("w1", &[])).await.unwrap();
    tell_all(&store, &[event(&job, attempt(1, 50), handed_back(false))]).await;
    let said = reason(&store, &job).await.unwrap();
    let until = said.strip_prefix("backing off until ").unwrap();
    let until = chrono::DateTime::parse_from_rfc3339(until).unwrap();
    assert!(until > chrono::Utc::now());
}

/// Neither those that run nor those that have ended.
pub async fn only_queued_runs_wait(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    assert!(reason(&store, &job).await.is_some());
    start(&store, &job, attempt(1, 1)).await;
    assert_eq!(reason(&store, &job).await, None);
    tell(&store, &job, attempt(1, 1), handed_back(true)).await;
    assert!(reason(&store, &job).await.is_some());
    finish(&store, &job, attempt(2, 1), JobStatus::Success).await;
    assert_eq!(reason(&store, &job).await, None);
}
