//! Attempts that end without a result.

use std::time::Duration;

use chrono::Utc;

use super::Database;
use super::story::{
    GENERATION, MAX_ATTEMPTS, attempt, cleaned, due_now, handed_back, micros, record_of, start, step, submit,
    tell, until_due,
};
use crate::domain::event::EventBody;
use crate::domain::retry::Backoff;
use crate::domain::run::{CleanupStatus, EndCause, JobStatus};
use crate::domain::state::Refusal;
use crate::store::Recorded;

/// With its next dispatch, not before the backoff is over.
pub async fn it_spends_an_attempt_and_waits(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    store.published(&[(job.clone(), 1)]).await.unwrap();
    start(&store, &job, attempt(1, 1)).await;
    let before = Utc::now();
    assert_eq!(tell(&store, &job, attempt(1, 1), handed_back(false)).await, Recorded::Applied);
    let record = record_of(&store, &job).await;
    assert_eq!((record.status, record.finished_at), (JobStatus::Queued, None));
    assert_eq!(
        tell(&store, &job, attempt(1, 1), handed_back(false)).await,
        Recorded::Refused(Refusal::Stale)
    );
    let message = until_due(&store, &job).await;
    // The database's clock and this one are the same here, but SQLite's is coarser.
    let pause = Backoff::default().pause(1);
    assert!(
        Utc::now() - before >= chrono::Duration::from_std(pause).unwrap() - chrono::Duration::milliseconds(2)
    );
    assert_eq!((message.dispatch, message.attempts_spent), (2, 1));
    assert_eq!(message.attempt_number(1), 2);
    start(&store, &job, attempt(2, 1)).await;
    assert_eq!(record_of(&store, &job).await.attempt, 2);
}

/// It is due at once, whatever the grace.
pub async fn a_drain_spends_none_and_need_not_wait(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    assert_eq!(tell(&store, &job, attempt(1, 1), handed_back(true)).await, Recorded::Applied);
    let due = store.due(GENERATION, Duration::from_secs(3600), 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].dispatch, due[0].attempts_spent), (2, 0));
    start(&store, &job, attempt(2, 1)).await;
    assert_eq!(record_of(&store, &job).await.attempt, 1);
}

/// Only the one that is handed back was not made.
pub async fn a_drain_leaves_earlier_silent_attempts_spent(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    start(&store, &job, attempt(1, 2)).await;
    tell(&store, &job, attempt(1, 2), handed_back(true)).await;
    let due = due_now(&store, GENERATION).await;
    assert_eq!((due[0].dispatch, due[0].attempts_spent), (2, 1));
}

/// The last attempt's reason is the job's error.
pub async fn with_no_attempt_left_the_run_fails_with_the_reason(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, MAX_ATTEMPTS)).await;
    let told = tell(&store, &job, attempt(1, MAX_ATTEMPTS), handed_back(false)).await;
    assert_eq!(told, Recorded::Applied);
    let record = record_of(&store, &job).await;
    assert_eq!((record.status, record.end_cause), (JobStatus::Failed, Some(EndCause::Engine)));
    assert_eq!(record.error.as_deref(), Some("the engine went away"));
    assert!(record.finished_at.is_some());
    assert!(due_now(&store, GENERATION).await.is_empty());
}

/// The container's end is still worth knowing.
pub async fn an_attempt_handed_back_says_no_more_but_its_cleanup(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    tell(&store, &job, attempt(1, 1), handed_back(false)).await;
    for body in [EventBody::Started, step(0, "")] {
        assert_eq!(tell(&store, &job, attempt(1, 1), body).await, Recorded::Refused(Refusal::Stale));
    }
    // Nor does a redelivery of the same dispatch, which would take the number of the next one.
    let told = tell(&store, &job, attempt(1, 2), EventBody::Started).await;
    assert_eq!(told, Recorded::Refused(Refusal::Stale));
    let told = tell(&store, &job, attempt(1, 1), cleaned(CleanupStatus::Destroyed)).await;
    assert_eq!(told, Recorded::Applied);
    let record = record_of(&store, &job).await;
    assert_eq!((record.status, record.cleanup_status), (JobStatus::Queued, Some(CleanupStatus::Destroyed)));
}

/// It counts from the first start, and the next worker is told.
pub async fn the_time_to_live_goes_on(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    assert_eq!(due_now(&store, GENERATION).await[0].ttl_expiry, None);
    start(&store, &job, attempt(1, 1)).await;
    let first = record_of(&store, &job).await;
    tell(&store, &job, attempt(1, 1), handed_back(true)).await;
    assert_eq!(due_now(&store, GENERATION).await[0].ttl_expiry, first.ttl_expiry);
    start(&store, &job, attempt(2, 1)).await;
    let second = record_of(&store, &job).await;
    assert_eq!((second.started_at, second.ttl_expiry), (first.started_at, first.ttl_expiry));
    assert_eq!(second.created_at, micros(second.created_at));
}

/// Whichever way attempts end, drains aside.
pub async fn numbers_never_repeat(database: Database) {
    let store = database.open().await;
    let mut run = super::story::new_run("a");
    run.spec.retry.max_attempts = 10;
    store.submit(&run).await.unwrap();
    let job = run.job_id;
    let mut seen = Vec::new();
    // Silent, then handed back; silent twice, then handed back by a drain; handed back.
    for (id, end) in [
        (attempt(1, 1), None),
        (attempt(1, 2), Some(false)),
        (attempt(2, 1), None),
        (attempt(2, 2), None),
        (attempt(2, 3), Some(true)),
        (attempt(3, 1), Some(false)),
        (attempt(4, 1), None),
    ] {
        start(&store, &job, id).await;
        let number = record_of(&store, &job).await.attempt;
        if end != Some(true) {
            seen.push(number);
        }
        if let Some(drain) = end {
            assert_eq!(tell(&store, &job, id, handed_back(drain)).await, Recorded::Applied);
            let message = store.message(&job).await.unwrap().unwrap();
            assert_eq!(message.dispatch, id.dispatch + 1);
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
}
