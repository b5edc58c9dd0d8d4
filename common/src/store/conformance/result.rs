//! Results, and what they need.

use chrono::Utc;

use super::Database;
use super::story::{
    artifacts, attempt, cleaned, container, event, finished, handed_back, micros, record_of, run_to_end,
    start, step, submit, tell, tell_all,
};
use crate::domain::event::{EventBody, Finished, MAX_NOTES};
use crate::domain::run::{BuiltImage, CleanupStatus, EndCause, JobStatus};
use crate::domain::state::{CancelDecision, Refusal};
use crate::store::Recorded;

/// Not by the attempt that ended them, nor a later one, nor a user.
pub async fn terminal_states_never_change(database: Database) {
    let store = database.open().await;
    for status in JobStatus::ALL.into_iter().filter(|s| s.is_terminal()) {
        let name = status.as_str().replace('_', "-");
        let job = run_to_end(&store, &name, status).await;
        let before = record_of(&store, &job).await;
        assert_eq!(before.status, status);
        let another = if status == JobStatus::Success { JobStatus::Failed } else { JobStatus::Success };
        for speaker in [attempt(1, 1), attempt(1, 2), attempt(2, 1)] {
            for body in [EventBody::Started, finished(another, 0, 0), handed_back(false), handed_back(true)] {
                let told = tell(&store, &job, speaker, body.clone()).await;
                assert!(
                    matches!(told, Recorded::Refused(Refusal::Final) | Recorded::Duplicate),
                    "{body:?}: {told:?}"
                );
            }
        }
        let cancelled = store.cancel(&job, Utc::now()).await.unwrap().unwrap();
        assert_eq!(cancelled.decision, CancelDecision::AlreadyTerminal);
        assert_eq!(record_of(&store, &job).await, before);
    }
}

/// It is to be given again, when the rows are there.
pub async fn a_result_before_what_it_announces_is_early_and_changes_nothing(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    let id = attempt(1, 1);
    let result = finished(JobStatus::Success, 2, 1);
    // Also when the attempt has said nothing else yet.
    assert_eq!(tell(&store, &job, id, result.clone()).await, Recorded::Early);
    assert_eq!(record_of(&store, &job).await.status, JobStatus::Queued);
    for body in [step(0, ""), step(1, "")] {
        tell(&store, &job, id, body).await;
        let before = record_of(&store, &job).await;
        assert_eq!(tell(&store, &job, id, result.clone()).await, Recorded::Early);
        assert_eq!(record_of(&store, &job).await, before);
    }
    tell(&store, &job, id, artifacts(&["a"])).await;
    assert_eq!(tell(&store, &job, id, result).await, Recorded::Applied);
    assert_eq!(record_of(&store, &job).await.status, JobStatus::Success);
}

/// A row that never comes must not hold up the result for ever.
pub async fn gaps_are_accepted_when_they_must_be(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    tell(&store, &job, attempt(1, 1), step(1, "")).await;
    let result = event(&job, attempt(1, 1), finished(JobStatus::Failed, 2, 5));
    assert_eq!(store.record(&[result], true).await.unwrap(), [Recorded::Applied]);
    let record = record_of(&store, &job).await;
    assert_eq!((record.status, record.steps.len()), (JobStatus::Failed, 1));
}

/// What comes before it in the batch is there; what comes after it is not.
pub async fn a_result_may_come_in_one_batch_with_what_it_announces(database: Database) {
    let store = database.open().await;
    let id = attempt(1, 1);
    let one = submit(&store, "a").await;
    let in_order = [step(0, ""), artifacts(&["x"]), finished(JobStatus::Success, 1, 1)];
    let told = tell_all(&store, &in_order.map(|body| event(&one, id, body))).await;
    assert_eq!(told, [Recorded::Applied; 3]);
    let other = submit(&store, "b").await;
    let reversed = [finished(JobStatus::Success, 1, 0), step(0, "")].map(|body| event(&other, id, body));
    assert_eq!(tell_all(&store, &reversed).await, [Recorded::Early, Recorded::Applied]);
    assert_eq!(tell_all(&store, &reversed).await, [Recorded::Applied, Recorded::Duplicate]);
}

/// They came late, and belong to the record all the same.
pub async fn rows_that_come_after_an_accepted_gap_are_kept(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    let id = attempt(1, 1);
    let result = event(&job, id, finished(JobStatus::Success, 1, 1));
    store.record(&[result], true).await.unwrap();
    assert_eq!(tell(&store, &job, id, step(0, "late")).await, Recorded::Applied);
    assert_eq!(tell(&store, &job, id, artifacts(&["late"])).await, Recorded::Applied);
    let record = record_of(&store, &job).await;
    assert_eq!((record.status, record.steps.len(), record.artifacts.len()), (JobStatus::Success, 1, 1));
}

/// Those of an attempt before it are another's.
pub async fn only_the_reporting_attempts_rows_count(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    tell(&store, &job, attempt(1, 1), step(0, "first")).await;
    start(&store, &job, attempt(1, 2)).await;
    let result = finished(JobStatus::Success, 1, 0);
    assert_eq!(tell(&store, &job, attempt(1, 2), result.clone()).await, Recorded::Early);
    tell(&store, &job, attempt(1, 2), step(0, "second")).await;
    assert_eq!(tell(&store, &job, attempt(1, 2), result).await, Recorded::Applied);
    let record = record_of(&store, &job).await;
    assert_eq!(record.steps.len(), 1);
    assert_eq!(record.steps[0].stdout, "second");
}

/// The result does not wait for the removal.
pub async fn a_container_is_pending_until_it_is_cleaned_up(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    let id = attempt(1, 1);
    start(&store, &job, id).await;
    tell(&store, &job, id, container("c1")).await;
    let image = BuiltImage {
        id: "sha256:1".to_owned(),
        tags: vec!["app:1".to_owned()],
        size_bytes: 1 << 40,
        pushed: true,
    };
    let result = Finished {
        status: JobStatus::Failed,
        end_cause: EndCause::Oom,
        error: Some("out of\0memory".to_owned()),
        steps: 0,
        artifacts: 0,
        notes: vec!["the log\0is cut".to_owned(); MAX_NOTES + 1],
        built_image: Some(image.clone()),
    };
    let result = event(&job, id, EventBody::Finished(result));
    tell_all(&store, std::slice::from_ref(&result)).await;
    let record = record_of(&store, &job).await;
    assert_eq!(record.sandbox_id.as_deref(), Some("c1"));
    assert_eq!(record.cleanup_status, Some(CleanupStatus::Pending));
    assert_eq!(record.finished_at, Some(micros(result.at)));
    assert_eq!(record.end_cause, Some(EndCause::Oom));
    assert_eq!(record.error.as_deref(), Some("out of\u{fffd}memory"));
    assert_eq!(record.notes, vec!["the log\u{fffd}is cut"; MAX_NOTES], "not too many");
    assert_eq!(record.built_image, Some(image));
    assert_eq!(tell(&store, &job, id, cleaned(CleanupStatus::Leaked)).await, Recorded::Applied);
    assert_eq!(record_of(&store, &job).await.cleanup_status, Some(CleanupStatus::Leaked));
    assert_eq!(tell(&store, &job, id, cleaned(CleanupStatus::Destroyed)).await, Recorded::Applied);
    let cleaned = record_of(&store, &job).await;
    assert_eq!(cleaned.cleanup_status, Some(CleanupStatus::Destroyed));
    assert_eq!((cleaned.status, cleaned.finished_at), (record.status, record.finished_at));
}

/// Such as one whose image could not be had.
pub async fn a_job_that_had_no_container_has_nothing_to_clean_up(database: Database) {
    let store = database.open().await;
    let job = run_to_end(&store, "a", JobStatus::Failed).await;
    assert_eq!(record_of(&store, &job).await.cleanup_status, Some(CleanupStatus::Destroyed));
}

/// Its end may be known before its beginning.
pub async fn a_container_told_of_late_is_not_unclean_again(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    let id = attempt(1, 1);
    start(&store, &job, id).await;
    tell(&store, &job, id, cleaned(CleanupStatus::Destroyed)).await;
    tell(&store, &job, id, container("c1")).await;
    let record = record_of(&store, &job).await;
    assert_eq!(record.sandbox_id.as_deref(), Some("c1"));
    assert_eq!(record.cleanup_status, Some(CleanupStatus::Destroyed));
}

/// A worker that reports `running` as its result is mistaken; its job must end.
pub async fn a_result_that_is_none_is_a_failure(database: Database) {
    let store = database.open().await;
    let job = submit(&store, "a").await;
    start(&store, &job, attempt(1, 1)).await;
    tell(&store, &job, attempt(1, 1), finished(JobStatus::Running, 0, 0)).await;
    let record = record_of(&store, &job).await;
    assert_eq!(record.status, JobStatus::Failed);
    assert!(record.error.is_some());
}
