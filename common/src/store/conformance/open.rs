//! Opening a database.

use futures_util::future::join_all;

use super::Database;
use super::story::{record_of, submit};

/// Migrations are safe when several replicas start at once.
pub async fn handles_that_open_a_new_database_at_once_all_succeed(database: Database) {
    let handles = join_all((0..6).map(|_| database.open())).await;
    for (n, handle) in handles.iter().enumerate() {
        submit(handle, &format!("job-{n}")).await;
    }
    assert_eq!(handles[0].count(None).await.unwrap(), 6);
}

/// A handle opened later, as after a restart, finds what is there.
pub async fn what_one_handle_wrote_another_reads(database: Database) {
    let first = database.open().await;
    let job = submit(&first, "a").await;
    let written = record_of(&first, &job).await;
    drop(first);
    assert_eq!(record_of(&database.open().await, &job).await, written);
}

/// `ping` succeeds.
pub async fn a_database_that_is_there_answers(database: Database) {
    database.open().await.ping().await.unwrap();
}
