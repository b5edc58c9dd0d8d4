//! Deleting runs.

use super::Database;
use super::story::{
    artifacts, attempt, cleaned, finished, job, record_of, run_to_end, start, step, submit, tell,
};
use crate::domain::run::{CleanupStatus, JobStatus};
use crate::domain::state::Refusal;
use crate::store::{Deletion, Recorded};

/// The id is free again, and nothing of the old run shows in the new one.
pub async fn a_run_that_has_ended_goes_with_all_that_hangs_on_it(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    for body in [step(0, "old"), artifacts(&["old"]), finished(JobStatus::Success, 1, 1)] {
        tell(&store, &job, attempt(1, 1), body).await;
    }
    let kept = run_to_end(&store, "b", JobStatus::Success).await;
    assert_eq!(store.delete(&job).await.unwrap(), Deletion::Deleted);
    assert_eq!(store.run(&job).await.unwrap(), None);
    assert_eq!(store.delete(&job).await.unwrap(), Deletion::NotFound);
    let late = tell(&store, &job, attempt(1, 1), cleaned(CleanupStatus::Destroyed)).await;
    assert_eq!(late, Recorded::Refused(Refusal::Unknown));
    assert!(store.run(&kept).await.unwrap().is_some());
    submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    let record = record_of(&store, &job).await;
    assert!(record.steps.is_empty() && record.artifacts.is_empty());
}

/// Queued or running.
pub async fn a_run_that_has_not_ended_stays(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    assert_eq!(store.delete(&job).await.unwrap(), Deletion::NotTerminal);
    start(&store, &job, attempt(1, 1)).await;
    assert_eq!(store.delete(&job).await.unwrap(), Deletion::NotTerminal);
    assert_eq!(record_of(&store, &job).await.status, JobStatus::Running);
}

/// And that is said.
pub async fn an_unknown_run_is_not_found(database: Database) {
    let store = database.open().await;
    assert_eq!(store.delete(&job("a")).await.unwrap(), Deletion::NotFound);
}
