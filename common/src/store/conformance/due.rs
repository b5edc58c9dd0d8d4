//! What the scheduler puts on the bus.

use std::time::Duration;

use chrono::Utc;
use futures_util::future::join;

use super::Database;
use super::story::{
    ALL, GENERATION, Handle, MAX_ATTEMPTS, NEXT_GENERATION, attempt, due_now, event, handed_back, job,
    new_run, record_of, run_to_end, start, step, submit, tell, tell_all,
};
use crate::domain::event::EventBody;
use crate::domain::run::{EndCause, JobStatus};
use crate::domain::state::Refusal;
use crate::store::{Recorded, generation_lease};

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(200);

/// Whoever submitted it has the first try.
pub async fn a_fresh_run_is_due_after_the_grace_and_not_before(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    assert!(store.due(GENERATION, LONG, ALL).await.unwrap().is_empty());
    super::story::eventually("the grace is over", async || {
        store.due(GENERATION, SHORT, ALL).await.unwrap().into_iter().find(|m| m.job_id == job)
    })
    .await;
}

/// Others stay due until they are published too.
pub async fn a_published_run_is_not_due(database: Database) {
    let store = database.open().await;
    let (a, b) = (submit(&store, "a").await, submit(&store, "b").await);
    assert_eq!(due_now(&store, GENERATION).await.len(), 2);
    store.published(&[(a.clone(), 1)]).await.unwrap();
    let due = due_now(&store, GENERATION).await;
    assert_eq!(due.iter().map(|m| &m.job_id).collect::<Vec<_>>(), [&b]);
    store.published(&[(b, 1), (job("unknown"), 1), (a, 1)]).await.unwrap();
    store.published(&[]).await.unwrap();
    assert!(due_now(&store, GENERATION).await.is_empty());
}

/// The publisher was slow; the present dispatch is still to be published.
pub async fn a_publication_of_an_old_dispatch_is_passed_over(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    tell(&store, &job, attempt(1, 1), handed_back(true)).await;
    store.published(&[(job.clone(), 1)]).await.unwrap();
    assert_eq!(due_now(&store, GENERATION).await[0].dispatch, 2);
    store.published(&[(job, 2)]).await.unwrap();
    assert!(due_now(&store, GENERATION).await.is_empty());
}

/// So that none starves.
pub async fn due_runs_come_oldest_first_and_no_more_than_asked_for(database: Database) {
    let store = database.open().await;
    let now = Utc::now();
    for (name, age) in [("b", 2), ("c", 1), ("a", 3)] {
        let mut run = new_run(name);
        run.created_at = now - chrono::Duration::seconds(age);
        store.submit(&run).await.unwrap();
    }
    let due = store.due(GENERATION, Duration::ZERO, 2).await.unwrap();
    assert_eq!(due.iter().map(|m| m.job_id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

/// And `message` gives the same.
pub async fn a_message_holds_what_a_worker_needs(database: Database) {
    let store = database.open().await;
    let mut run = new_run("a");
    run.spec.pool = "gpu".parse().unwrap();
    run.spec.sandbox.env.insert("A".to_owned(), "ü".to_owned());
    run.spec.retry.max_attempts = 7;
    store.submit(&run).await.unwrap();
    let message = due_now(&store, GENERATION).await.remove(0);
    assert_eq!(store.message(&run.job_id).await.unwrap().as_ref(), Some(&message));
    assert_eq!((&message.job_id, message.pool.as_str()), (&run.job_id, "gpu"));
    assert_eq!((message.dispatch, message.attempts_spent, message.max_attempts), (1, 0, 7));
    assert_eq!((message.ttl_expiry, &message.spec), (None, &run.spec));
}

/// There is nothing to run.
pub async fn an_unknown_or_ended_run_has_no_message(database: Database) {
    let store = database.open().await;
    let ended = run_to_end(&store, "a", JobStatus::Success).await;
    assert_eq!(store.message(&ended).await.unwrap(), None);
    assert_eq!(store.message(&job("b")).await.unwrap(), None);
    assert!(due_now(&store, GENERATION).await.is_empty());
}

async fn keep_alive(store: &Handle, generation: &str) {
    assert!(store.lease(&generation_lease(generation), "api", LONG).await.unwrap());
}

/// Their bus still has them.
pub async fn runs_of_a_generation_kept_alive_by_others_are_left_to_them(database: Database) {
    let store = database.open().await;
    let (queued, running) = (submit(&store, "a").await, submit(&store, "b").await);
    start(&store, &running, attempt(1, 1)).await;
    keep_alive(&store, GENERATION).await;
    assert!(due_now(&store, NEXT_GENERATION).await.is_empty());
    assert_eq!(due_now(&store, GENERATION).await[0].job_id, queued);
    assert_eq!(record_of(&store, &running).await.status, JobStatus::Running);
}

/// It had no attempt, so none is spent; published or not, its message is gone.
pub async fn a_queued_run_of_a_dead_generation_gets_its_next_dispatch(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    store.published(&[(job.clone(), 1)]).await.unwrap();
    keep_alive(&store, NEXT_GENERATION).await;
    let due = store.due(NEXT_GENERATION, LONG, ALL).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].dispatch, due[0].attempts_spent), (2, 0));
    // Until it is published it stays due, with the same dispatch.
    assert_eq!(due_now(&store, NEXT_GENERATION).await, due);
    store.published(&[(job.clone(), 2)]).await.unwrap();
    assert!(due_now(&store, NEXT_GENERATION).await.is_empty());
    // A worker may have taken the old message just before it was lost.
    let told = tell(&store, &job, attempt(1, 1), EventBody::Started).await;
    assert_eq!(told, Recorded::Refused(Refusal::Stale));
    start(&store, &job, attempt(2, 1)).await;
}

/// Its worker may live; it is not heard any more.
pub async fn a_running_attempt_of_a_dead_generation_is_spent_and_fenced(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    let due = due_now(&store, NEXT_GENERATION).await;
    assert_eq!((due[0].dispatch, due[0].attempts_spent), (2, 1));
    assert_eq!(record_of(&store, &job).await.status, JobStatus::Queued);
    assert_eq!(tell(&store, &job, attempt(1, 1), step(0, "")).await, Recorded::Refused(Refusal::Stale));
    start(&store, &job, attempt(2, 1)).await;
    assert_eq!(record_of(&store, &job).await.attempt, 2);
}

/// As failed, for its workers fell silent.
pub async fn a_run_lost_with_its_last_attempt_ends(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, MAX_ATTEMPTS)).await;
    assert!(due_now(&store, NEXT_GENERATION).await.is_empty());
    let record = record_of(&store, &job).await;
    assert_eq!((record.status, record.end_cause), (JobStatus::Failed, Some(EndCause::Lost)));
    assert!(record.finished_at.is_some() && record.error.is_some());
}

/// It ends as its user wished.
pub async fn a_cancelled_run_of_a_dead_generation_is_not_dispatched_again(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    store.cancel(&job, Utc::now()).await.unwrap();
    assert!(due_now(&store, NEXT_GENERATION).await.is_empty());
    let record = record_of(&store, &job).await;
    assert_eq!((record.status, record.end_cause), (JobStatus::Cancelled, Some(EndCause::Cancelled)));
}

/// A bus that was lost is no reason to hurry.
pub async fn a_backoff_outlives_its_generation(database: Database) {
    let store = database.open().await;
    let mut run = new_run("a");
    run.spec.retry.max_attempts = 100;
    store.submit(&run).await.unwrap();
    let job = run.job_id;
    // So late an attempt waits a minute.
    tell(&store, &job, attempt(1, 50), handed_back(false)).await;
    assert!(due_now(&store, NEXT_GENERATION).await.is_empty());
    let message = store.message(&job).await.unwrap().unwrap();
    assert_eq!((message.dispatch, message.attempts_spent), (3, 50));
    assert!(record_of(&store, &job).await.waiting_reason.unwrap().starts_with("backing off until "));
}

/// Should two believe that they lead.
pub async fn two_schedulers_at_once_take_a_run_back_once(database: Database) {
    let handles = [database.open().await, database.open().await];
    let mut jobs = Vec::new();
    for n in 0..10 {
        jobs.push(submit(&handles[0], &format!("job-{n}")).await);
    }
    let started: Vec<_> = jobs.iter().map(|j| event(j, attempt(1, 1), EventBody::Started)).collect();
    tell_all(&handles[0], &started).await;
    join(due_now(&handles[0], NEXT_GENERATION), due_now(&handles[1], NEXT_GENERATION)).await;
    for message in due_now(&handles[0], NEXT_GENERATION).await {
        assert_eq!((message.dispatch, message.attempts_spent), (2, 1), "{}", message.job_id);
    }
    assert_eq!(due_now(&handles[1], NEXT_GENERATION).await.len(), jobs.len());
}
