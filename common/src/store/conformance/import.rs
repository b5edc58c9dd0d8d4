//! Taking over records of runs that ended elsewhere.

use std::time::Duration;

use chrono::{TimeDelta, Utc};

use super::Database;
use super::story::{
    ALL, GENERATION, artifact, attempt, cleaned, due_now, event, finished, job, new_run, record_of,
    step_result, submit, tell, tell_all, worker,
};
use crate::domain::run::{ArtifactMetadata, CleanupStatus, EndCause, JobStatus, RunRecord, StepResult};
use crate::domain::state::Refusal;
use crate::store::{Import, Recorded, RunQuery, Submission, imported_form};

/// A record as older versions wrote them.
fn old(name: &str, status: JobStatus) -> RunRecord {
    let created_at = Utc::now() - TimeDelta::days(30);
    let step = StepResult { index: None, name: None, success: None, ..step_result("out\0put") };
    RunRecord {
        job_id: job(name),
        status,
        created_at,
        started_at: Some(created_at),
        finished_at: Some(created_at + TimeDelta::nanoseconds(1_500)),
        sandbox_id: Some("c0ffee".to_owned()),
        image_ref: None,
        steps: vec![step.clone(), StepResult { exit_code: 3, ..step }],
        artifacts: vec![artifact("z"), artifact("a/b"), artifact("z")],
        cleanup_status: Some(CleanupStatus::Destroyed),
        ttl_expiry: None,
        fingerprint: None,
        error: Some("it failed".to_owned()),
        worker: None,
        attempt: 0,
        end_cause: None,
        waiting_reason: None,
        pool: "default".parse().unwrap(),
        notes: Vec::new(),
        built_image: None,
    }
}

/// Whatever its version noted, and nothing else.
pub async fn an_imported_record_comes_back_in_its_imported_form(database: Database) {
    let store = database.open().await;
    for (name, status) in [
        ("a", JobStatus::Success),
        ("b", JobStatus::Failed),
        ("c", JobStatus::TimedOut),
        ("d", JobStatus::Cancelled),
    ] {
        let given = old(name, status);
        assert_eq!(store.import(&given).await.unwrap(), Import::New);
        let record = record_of(&store, &given.job_id).await;
        assert_eq!(record, imported_form(&given));
        assert_eq!(imported_form(&record), record, "the form of the form is the form");
        assert_eq!(record.steps.iter().map(|s| s.index).collect::<Vec<_>>(), [Some(0), Some(1)]);
        assert_eq!(record.artifacts.iter().map(|a| a.path.as_str()).collect::<Vec<_>>(), ["a/b", "z"]);
    }
    let page = store.runs(&RunQuery { limit: ALL, ..RunQuery::default() }).await.unwrap();
    assert_eq!(page.len(), 4);
    assert_eq!(store.count(Some(JobStatus::Success)).await.unwrap(), 1);
}

/// Also what only newer versions note.
pub async fn a_full_record_is_imported_whole(database: Database) {
    let store = database.open().await;
    let mut given = old("a", JobStatus::Failed);
    given.image_ref = Some("busybox".to_owned());
    given.fingerprint = Some("f".repeat(64));
    given.ttl_expiry = given.started_at.map(|at| at + TimeDelta::hours(1));
    (given.worker, given.attempt) = (Some(worker("w1")), 3);
    given.end_cause = Some(EndCause::Exit);
    given.notes = vec!["a note".to_owned()];
    given.steps = vec![
        StepResult { index: Some(2), ..step_result("one") },
        StepResult { index: Some(5), ..step_result("two") },
    ];
    given.artifacts = vec![ArtifactMetadata { mode: Some("0755".to_owned()), ..artifact("x") }];
    assert_eq!(store.import(&given).await.unwrap(), Import::New);
    let record = record_of(&store, &given.job_id).await;
    assert_eq!(record, imported_form(&given));
    assert_eq!(record.steps[1].index, Some(5));
}

/// An equal one is passed over, another one is left alone.
pub async fn an_id_that_is_taken_stays_as_it_is(database: Database) {
    let store = database.open().await;
    let given = old("a", JobStatus::Success);
    store.import(&given).await.unwrap();
    assert_eq!(store.import(&given).await.unwrap(), Import::Known);
    let other = RunRecord { error: None, ..given.clone() };
    assert_eq!(store.import(&other).await.unwrap(), Import::Taken);
    assert_eq!(record_of(&store, &given.job_id).await, imported_form(&given));
    let own = submit(&store, "b").await;
    assert_eq!(store.import(&old("b", JobStatus::Success)).await.unwrap(), Import::Taken);
    assert_eq!(record_of(&store, &own).await.status, JobStatus::Queued);
    assert_eq!(store.submit(&new_run("a")).await.unwrap(), Submission::Taken);
}

/// There is nobody who would end it.
pub async fn a_run_that_has_not_ended_is_not_imported(database: Database) {
    let store = database.open().await;
    for status in [JobStatus::Queued, JobStatus::Running] {
        assert_eq!(store.import(&old("a", status)).await.unwrap(), Import::NotTerminal);
    }
    assert_eq!(store.run(&job("a")).await.unwrap(), None);
}

/// It has ended for good, and its files are in place.
pub async fn nothing_happens_to_an_imported_run_any_more(database: Database) {
    let store = database.open().await;
    let given = old("a", JobStatus::Success);
    store.import(&given).await.unwrap();
    assert!(store.unmirrored(GENERATION, ALL).await.unwrap().is_empty());
    assert!(due_now(&store, GENERATION).await.is_empty());
    assert_eq!(store.message(&given.job_id).await.unwrap(), None);
    let late = tell(&store, &given.job_id, attempt(2, 1), finished(JobStatus::Failed, 0, 0)).await;
    assert_eq!(late, Recorded::Refused(Refusal::Final));
    let cleaned = event(&given.job_id, attempt(1, 1), cleaned(CleanupStatus::Destroyed));
    assert_eq!(tell_all(&store, &[cleaned]).await, [Recorded::Duplicate]);
    assert_eq!(record_of(&store, &given.job_id).await, imported_form(&given));
    store.delete(&given.job_id).await.unwrap();
    assert_eq!(store.import(&given).await.unwrap(), Import::New);
}

/// Its container was left to workers that are not here.
pub async fn an_imported_runs_container_is_no_longer_waited_for(database: Database) {
    let store = database.open().await;
    let mut given = old("a", JobStatus::Success);
    given.cleanup_status = Some(CleanupStatus::Pending);
    assert_eq!(store.import(&given).await.unwrap(), Import::New);
    assert_eq!(record_of(&store, &given.job_id).await.cleanup_status, None);
    assert!(store.unsettled(Duration::ZERO, ALL).await.unwrap().is_empty());
}

/// Of two that import at once, one does.
pub async fn imports_at_once_take_a_record_over_once(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    let given = old("a", JobStatus::Success);
    let (first, second) = tokio::join!(one.import(&given), two.import(&given));
    let mut outcomes = [first.unwrap(), second.unwrap()];
    outcomes.sort_by_key(|o| *o != Import::New);
    assert_eq!(outcomes, [Import::New, Import::Known]);
}
