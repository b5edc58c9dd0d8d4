//! Workers, and what they should no longer run.

use std::time::Duration;

use chrono::Utc;

use super::Database;
use super::story::{
    Handle, NEXT_GENERATION, attempt, due_now, eventually, finish, handed_back, heartbeat, job, run_to_end,
    start, submit, tell, worker,
};
use crate::domain::control::{StopAttempt, StopReason};
use crate::domain::id::{AttemptId, JobId};
use crate::domain::run::JobStatus;

const LONG: Duration = Duration::from_secs(3600);

async fn told_to_stop(store: &Handle, job: &JobId, attempt: AttemptId) -> Option<StopReason> {
    let stop = store.heartbeat(&heartbeat("w1", &[(job, attempt)])).await.unwrap();
    assert!(stop.len() <= 1);
    stop.into_iter().next().map(|StopAttempt { job_id, attempt: stopped, reason }| {
        assert_eq!((&job_id, stopped), (job, Some(attempt)));
        reason
    })
}

/// Each once, by name.
pub async fn a_worker_is_known_as_it_last_described_itself(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    store.heartbeat(&heartbeat("w2", &[])).await.unwrap();
    store.heartbeat(&heartbeat("w1", &[])).await.unwrap();
    let mut again = heartbeat("w2", &[(&job, attempt(1, 1))]);
    again.pool = "gpu".parse().unwrap();
    again.draining = true;
    again.slots = 9;
    store.heartbeat(&again).await.unwrap();
    let workers = store.workers(LONG).await.unwrap();
    assert_eq!(workers.iter().map(|w| w.name.as_str()).collect::<Vec<_>>(), ["w1", "w2"]);
    assert_eq!((workers[0].slots, workers[0].busy, workers[0].draining), (2, 0, false));
    assert_eq!((workers[1].slots, workers[1].busy, workers[1].draining), (9, 1, true));
    assert_eq!((workers[1].pool.as_str(), workers[1].version.as_str()), ("gpu", "1.2.3"));
    assert_eq!(workers[1].name, worker("w2"));
}

/// By the database's clock.
pub async fn a_worker_that_fell_silent_is_not_listed(database: Database) {
    let store = database.open().await;
    store.heartbeat(&heartbeat("w1", &[])).await.unwrap();
    eventually("the heartbeat grows old", async || {
        store.workers(Duration::from_millis(20)).await.unwrap().is_empty().then_some(())
    })
    .await;
    assert_eq!(store.workers(LONG).await.unwrap().len(), 1);
}

/// Nothing is to be stopped.
pub async fn the_current_attempt_may_go_on(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    assert_eq!(told_to_stop(&store, &job, attempt(1, 1)).await, None);
}

/// Its start is on its way.
pub async fn an_attempt_that_nobody_heard_of_yet_may_go_on(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    assert_eq!(told_to_stop(&store, &job, attempt(1, 1)).await, None);
    start(&store, &job, attempt(1, 1)).await;
    assert_eq!(told_to_stop(&store, &job, attempt(1, 2)).await, None);
}

/// Such as those of deleted runs.
pub async fn attempts_of_unknown_jobs_are_stopped(database: Database) {
    let store = database.open().await;
    let told = told_to_stop(&store, &job("a"), attempt(1, 1)).await;
    assert_eq!(told, Some(StopReason::Superseded));
}

/// While the later one goes on.
pub async fn a_superseded_attempt_is_stopped(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    start(&store, &job, attempt(1, 2)).await;
    let beat = heartbeat("w1", &[(&job, attempt(1, 1)), (&job, attempt(1, 2))]);
    let expected =
        StopAttempt { job_id: job.clone(), attempt: Some(attempt(1, 1)), reason: StopReason::Superseded };
    assert_eq!(store.heartbeat(&beat).await.unwrap(), [expected]);
    finish(&store, &job, attempt(1, 2), JobStatus::Success).await;
    assert_eq!(told_to_stop(&store, &job, attempt(1, 1)).await, Some(StopReason::Superseded));
    // Nor does one go on that nobody heard of, when the job has ended without it.
    assert_eq!(told_to_stop(&store, &job, attempt(1, 3)).await, Some(StopReason::Superseded));
}

/// So a wish that did not reach the worker repairs itself.
pub async fn a_cancelled_jobs_attempt_is_stopped_as_cancelled(database: Database) {
    let store = database.open().await;
    let (asked, queued) = (submit(&store, "a").await, submit(&store, "b").await);
    start(&store, &asked, attempt(1, 1)).await;
    store.cancel(&asked, Utc::now()).await.unwrap();
    store.cancel(&queued, Utc::now()).await.unwrap();
    for job in [asked, queued] {
        assert_eq!(told_to_stop(&store, &job, attempt(1, 1)).await, Some(StopReason::Cancelled));
    }
}

/// Its worker still has its container to remove.
pub async fn an_attempt_that_said_its_end_may_clear_up(database: Database) {
    let store = database.open().await;
    for status in JobStatus::ALL.into_iter().filter(|s| s.is_terminal()) {
        let job = run_to_end(&store, &status.as_str().replace('_', "-"), status).await;
        assert_eq!(told_to_stop(&store, &job, attempt(1, 1)).await, None);
    }
    let job = submit(&store, "handed-back").await;
    start(&store, &job, attempt(1, 1)).await;
    tell(&store, &job, attempt(1, 1), handed_back(true)).await;
    assert_eq!(told_to_stop(&store, &job, attempt(1, 1)).await, None);
}

/// Another runs in its place.
pub async fn an_attempt_lost_with_its_bus_is_stopped(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    due_now(&store, NEXT_GENERATION).await;
    assert_eq!(told_to_stop(&store, &job, attempt(1, 1)).await, Some(StopReason::Superseded));
}
