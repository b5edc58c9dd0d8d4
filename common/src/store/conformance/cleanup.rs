//! Runs that have ended and whose container's end is not known.

use std::time::Duration;

use super::Database;
use super::story::{
    ALL, attempt, cleaned, container, eventually, finish, new_run, run_to_end, start, submit, tell, worker,
};
use crate::domain::placement::CleanupPolicy;
use crate::domain::run::{CleanupStatus, JobStatus};
use crate::store::Unsettled;

/// From its end until its container's end is known; a run that had none never.
pub async fn a_run_is_unsettled_until_its_containers_end_is_known(database: Database) {
    let store = database.open().await;
    let unsettled = async || store.unsettled(Duration::ZERO, ALL).await.unwrap();
    run_to_end(&store, "without", JobStatus::Success).await;
    let mut new = new_run("keeps");
    new.spec.cleanup_policy = CleanupPolicy::NeverRemove;
    store.submit(&new).await.unwrap();
    let (keeps, plain) = (new.job_id, submit(&store, "plain").await);
    for job in [&keeps, &plain] {
        start(&store, job, attempt(1, 2)).await;
        tell(&store, job, attempt(1, 2), container("c1")).await;
        assert!(unsettled().await.iter().all(|run| run.job_id != *job), "it has not ended");
        finish(&store, job, attempt(1, 2), JobStatus::Failed).await;
    }
    let found = eventually("both have ended some time ago", async || {
        let found = unsettled().await;
        (found.len() == 2).then_some(found)
    })
    .await;
    let expected = |job: &crate::domain::id::JobId, policy| Unsettled {
        job_id: job.clone(),
        attempt: attempt(1, 2),
        number: 2,
        worker: worker("w1"),
        sandbox_id: "c1".to_owned(),
        policy,
    };
    assert_eq!(found[0], expected(&keeps, CleanupPolicy::NeverRemove));
    assert_eq!(found[1], expected(&plain, CleanupPolicy::AlwaysRemove));
    tell(&store, &keeps, attempt(1, 2), cleaned(CleanupStatus::Kept)).await;
    tell(&store, &plain, attempt(1, 2), cleaned(CleanupStatus::Leaked)).await;
    assert_eq!(unsettled().await, []);
}

/// Its worker may be about to say what became of it.
pub async fn a_run_that_ended_just_now_is_left_alone_and_no_more_come_than_asked_for(database: Database) {
    let store = database.open().await;
    for name in ["a", "b"] {
        let job = submit(&store, name).await;
        start(&store, &job, attempt(1, 1)).await;
        tell(&store, &job, attempt(1, 1), container("c1")).await;
        finish(&store, &job, attempt(1, 1), JobStatus::Success).await;
    }
    assert_eq!(store.unsettled(Duration::from_secs(3600), ALL).await.unwrap(), []);
    eventually("one of them is found", async || {
        let found = store.unsettled(Duration::ZERO, 1).await.unwrap();
        (found.len() == 1 && found[0].job_id.as_str() == "a").then_some(())
    })
    .await;
}
