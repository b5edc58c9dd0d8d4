//! Runs whose files are still to be mirrored.

use std::time::Duration;

use chrono::Utc;

use super::Database;
use super::story::{
    ALL, GENERATION, NEXT_GENERATION, attempt, eventually, finish, job, run_to_end, start, step, submit, tell,
};
use crate::domain::run::JobStatus;
use crate::store::generation_lease;

/// With the attempt that counts, if one has spoken.
pub async fn a_run_is_to_be_mirrored_from_its_end_until_it_is(database: Database) {
    let store = database.open().await;
    let (ended, never_ran) = (submit(&store, "a").await, submit(&store, "b").await);
    start(&store, &ended, attempt(1, 2)).await;
    assert!(store.unmirrored(GENERATION, ALL).await.unwrap().is_empty());
    finish(&store, &ended, attempt(1, 2), JobStatus::Failed).await;
    store.cancel(&never_ran, Utc::now()).await.unwrap();
    let found = store.unmirrored(GENERATION, ALL).await.unwrap();
    assert_eq!(found, [(ended.clone(), Some(attempt(1, 2))), (never_ran.clone(), None)]);
    for _ in 0..2 {
        store.mirrored(&ended).await.unwrap();
        assert_eq!(store.unmirrored(GENERATION, ALL).await.unwrap(), [(never_ran.clone(), None)]);
    }
    store.mirrored(&job("unknown")).await.unwrap();
}

/// By their end.
pub async fn runs_to_mirror_come_oldest_first_and_no_more_than_asked_for(database: Database) {
    let store = database.open().await;
    for name in ["c", "a", "b"] {
        run_to_end(&store, name, JobStatus::Success).await;
    }
    let found = store.unmirrored(GENERATION, 2).await.unwrap();
    assert_eq!(found.iter().map(|(job, _)| job.as_str()).collect::<Vec<_>>(), ["c", "a"]);
}

/// Its files are on its own bus; once it is dead anybody takes them.
pub async fn runs_of_a_live_generation_are_left_to_it(database: Database) {
    let store = database.open().await;
    run_to_end(&store, "a", JobStatus::Success).await;
    let lease = generation_lease(GENERATION);
    assert!(store.lease(&lease, "api", Duration::from_secs(3600)).await.unwrap());
    assert!(store.unmirrored(NEXT_GENERATION, ALL).await.unwrap().is_empty());
    assert_eq!(store.unmirrored(GENERATION, ALL).await.unwrap().len(), 1);
    assert!(store.lease(&lease, "api", Duration::from_millis(50)).await.unwrap());
    eventually("the generation is dead", async || {
        (store.unmirrored(NEXT_GENERATION, ALL).await.unwrap().len() == 1).then_some(())
    })
    .await;
}

/// Newest first, those of the attempt that counts, and only once they are old enough.
pub async fn runs_under_way_tell_of_their_steps(database: Database) {
    let store = database.open().await;
    let (first, second) = (submit(&store, "a").await, submit(&store, "b").await);
    submit(&store, "queued").await;
    run_to_end(&store, "ended", JobStatus::Success).await;
    for body in [step(0, ""), step(1, "")] {
        tell(&store, &first, attempt(1, 1), body).await;
    }
    start(&store, &first, attempt(1, 2)).await;
    tell(&store, &first, attempt(1, 2), step(0, "")).await;
    start(&store, &second, attempt(1, 1)).await;
    let found = eventually("both are old enough", async || {
        Some(store.under_way(Duration::from_millis(1), None, ALL).await.unwrap()).filter(|f| f.len() == 2)
    })
    .await;
    let told: Vec<_> = found.iter().map(|run| (&run.place.job_id, run.attempt, run.steps)).collect();
    assert_eq!(told, [(&second, attempt(1, 1), 0), (&first, attempt(1, 2), 1)]);
    assert_eq!(store.under_way(Duration::ZERO, None, 1).await.unwrap(), found[..1]);
    assert_eq!(store.under_way(Duration::ZERO, Some(&found[0].place), ALL).await.unwrap(), found[1..]);
    assert!(store.under_way(Duration::from_secs(3600), None, ALL).await.unwrap().is_empty());
}
