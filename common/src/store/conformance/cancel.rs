//! Users' wishes to cancel.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use futures_util::future::join;

use super::Database;
use super::story::{
    ALL, GENERATION, attempt, due_now, finish, finished, handed_back, heartbeat, job, micros, record_of,
    run_to_end, start, submit, tell, worker,
};
use crate::domain::event::EventBody;
use crate::domain::run::{CleanupStatus, EndCause, JobStatus};
use crate::domain::state::{CancelDecision, Refusal};
use crate::store::{Cancelled, Recorded};

/// And makes nothing.
pub async fn a_wish_for_an_unknown_job_finds_nothing(database: Database) {
    let store = database.open().await;
    assert_eq!(store.cancel(&job("a"), Utc::now()).await.unwrap(), None);
    assert_eq!(store.count(None).await.unwrap(), 0);
}

/// Its message may be on the bus already; it does not start any more.
pub async fn a_queued_run_is_cancelled_at_once(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    let at = Utc::now();
    let cancelled = store.cancel(&job, at).await.unwrap().unwrap();
    let expected =
        Cancelled { decision: CancelDecision::Cancelled, status: JobStatus::Cancelled, running: None };
    assert_eq!(cancelled, expected);
    let record = record_of(&store, &job).await;
    assert_eq!((record.status, record.end_cause), (JobStatus::Cancelled, Some(EndCause::Cancelled)));
    assert_eq!(record.finished_at, Some(micros(at)));
    assert_eq!(record.cleanup_status, Some(CleanupStatus::Destroyed));
    assert!(due_now(&store, GENERATION).await.is_empty());
    let told = tell(&store, &job, attempt(1, 1), EventBody::Started).await;
    assert_eq!(told, Recorded::Refused(Refusal::Final));
    assert_eq!(record_of(&store, &job).await, record);
}

/// The answer says whom to tell; asking again says the same.
pub async fn a_running_run_is_asked_of_its_worker(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    for _ in 0..2 {
        let cancelled = store.cancel(&job, Utc::now()).await.unwrap().unwrap();
        let expected = Cancelled {
            decision: CancelDecision::Requested,
            status: JobStatus::Running,
            running: Some((worker("w1"), attempt(1, 1))),
        };
        assert_eq!(cancelled, expected);
    }
    assert_eq!(record_of(&store, &job).await.status, JobStatus::Running);
    finish(&store, &job, attempt(1, 1), JobStatus::Cancelled).await;
    assert_eq!(record_of(&store, &job).await.status, JobStatus::Cancelled);
}

/// And the answer says how it ended.
pub async fn a_run_that_has_ended_is_left_alone(database: Database) {
    let store = database.open().await;
    let job = run_to_end(&store, "a", JobStatus::TimedOut).await;
    let before = record_of(&store, &job).await;
    let cancelled = store.cancel(&job, Utc::now()).await.unwrap().unwrap();
    let expected =
        Cancelled { decision: CancelDecision::AlreadyTerminal, status: JobStatus::TimedOut, running: None };
    assert_eq!(cancelled, expected);
    assert_eq!(record_of(&store, &job).await, before);
}

/// The worker that was asked is gone; nobody runs the job again.
pub async fn a_redelivery_after_the_wish_finds_the_job_cancelled(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    store.cancel(&job, Utc::now()).await.unwrap();
    let told = tell(&store, &job, attempt(1, 2), EventBody::Started).await;
    assert_eq!(told, Recorded::Refused(Refusal::Cancelled));
    let record = record_of(&store, &job).await;
    assert_eq!((record.status, record.end_cause), (JobStatus::Cancelled, Some(EndCause::Cancelled)));
    assert!(record.finished_at.is_some());
    let told = tell(&store, &job, attempt(1, 1), finished(JobStatus::Success, 0, 0)).await;
    assert_eq!(told, Recorded::Refused(Refusal::Stale));
}

/// The job ends instead.
pub async fn an_attempt_handed_back_after_the_wish_is_not_tried_again(database: Database) {
    let store = database.open().await;
    for (name, drain) in [("a", true), ("b", false)] {
        let job = submit(&store, name).await;
        start(&store, &job, attempt(1, 1)).await;
        store.cancel(&job, Utc::now()).await.unwrap();
        let told = tell(&store, &job, attempt(1, 1), handed_back(drain)).await;
        assert_eq!(told, Recorded::Refused(Refusal::Cancelled));
        assert_eq!(record_of(&store, &job).await.status, JobStatus::Cancelled);
        assert!(due_now(&store, GENERATION).await.iter().all(|m| m.job_id != job));
    }
}

/// It ended by itself before the wish reached it.
pub async fn a_result_reported_after_the_wish_counts(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    store.cancel(&job, Utc::now()).await.unwrap();
    finish(&store, &job, attempt(1, 1), JobStatus::Success).await;
    assert_eq!(record_of(&store, &job).await.status, JobStatus::Success);
}

/// Either the wish comes first and nothing starts, or the worker is asked.
pub async fn wishes_and_starts_at_once_leave_one_truth(database: Database) {
    let handles = [database.open().await, database.open().await];
    for n in 0..20 {
        let job = submit(&handles[0], &format!("job-{n}")).await;
        let (told, cancelled) = join(
            tell(&handles[0], &job, attempt(1, 1), EventBody::Started),
            handles[1].cancel(&job, Utc::now()),
        )
        .await;
        let status = record_of(&handles[0], &job).await.status;
        match cancelled.unwrap().unwrap().decision {
            CancelDecision::Cancelled => {
                assert_eq!((told, status), (Recorded::Refused(Refusal::Final), JobStatus::Cancelled));
            }
            CancelDecision::Requested => {
                assert_eq!((told, status), (Recorded::Applied, JobStatus::Running));
            }
            CancelDecision::AlreadyTerminal => panic!("nothing ended it"),
        }
    }
}

/// At once: what the worker might still say is late.
pub async fn a_running_run_whose_worker_is_dead_ends_as_its_user_wished(database: Database) {
    let store = database.open().await;
    let (wished, other) = (submit(&store, "a").await, submit(&store, "b").await);
    for job in [&wished, &other] {
        start(&store, job, attempt(1, 1)).await;
    }
    store.cancel(&wished, Utc::now() - TimeDelta::hours(2)).await.unwrap();
    assert_eq!(store.end_cancelled(Duration::from_secs(3 * 3600), ALL).await.unwrap(), []);
    let ended = store.end_cancelled(Duration::from_secs(3600), ALL).await.unwrap();
    assert_eq!(ended, std::slice::from_ref(&wished));
    let record = record_of(&store, &wished).await;
    assert_eq!((record.status, record.end_cause), (JobStatus::Cancelled, Some(EndCause::Cancelled)));
    assert_eq!(record_of(&store, &other).await.status, JobStatus::Running, "nobody wished that");
    let late = tell(&store, &wished, attempt(1, 2), EventBody::Started).await;
    assert_eq!(late, Recorded::Refused(Refusal::Final));
    assert_eq!(store.end_cancelled(Duration::from_secs(3600), ALL).await.unwrap(), []);
}

/// It is told with its next heartbeat, if it was not before.
pub async fn a_running_run_whose_worker_lives_is_left_to_it(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    store.heartbeat(&heartbeat("w1", &[(&job, attempt(1, 1))])).await.unwrap();
    store.cancel(&job, Utc::now() - TimeDelta::hours(2)).await.unwrap();
    assert_eq!(store.end_cancelled(Duration::from_secs(3600), ALL).await.unwrap(), []);
    assert_eq!(record_of(&store, &job).await.status, JobStatus::Running);
}
