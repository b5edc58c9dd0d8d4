//! Leases.

use std::time::Duration;

use futures_util::future::join_all;

use super::Database;
use super::story::eventually;

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(50);

/// Of each name.
pub async fn a_lease_has_one_holder(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    assert!(one.lease("scheduler", "one", LONG).await.unwrap());
    assert!(!two.lease("scheduler", "two", LONG).await.unwrap());
    assert!(two.lease("mirror", "two", LONG).await.unwrap());
}

/// Neither none nor two.
pub async fn of_many_that_want_a_lease_at_once_one_gets_it(database: Database) {
    let handles = [database.open().await, database.open().await];
    let tasks = (0..20).map(|n| {
        let store = handles[n % 2].clone();
        tokio::spawn(async move { store.lease("scheduler", &n.to_string(), LONG).await.unwrap() })
    });
    let taken = join_all(tasks).await.into_iter().map(Result::unwrap).filter(|taken| *taken).count();
    assert_eq!(taken, 1);
}

/// Then it runs from the renewal.
pub async fn a_holder_renews_its_lease(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    assert!(one.lease("scheduler", "one", SHORT).await.unwrap());
    assert!(one.lease("scheduler", "one", LONG).await.unwrap());
    assert!(!two.lease("scheduler", "two", LONG).await.unwrap());
}

/// And its former holder, coming back, finds it gone.
pub async fn a_lease_that_ran_out_is_free(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    assert!(one.lease("scheduler", "one", SHORT).await.unwrap());
    eventually("the lease runs out", async || {
        two.lease("scheduler", "two", LONG).await.unwrap().then_some(())
    })
    .await;
    assert!(!one.lease("scheduler", "one", LONG).await.unwrap());
}

/// At once.
pub async fn a_lease_given_up_is_free(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    assert!(one.lease("scheduler", "one", LONG).await.unwrap());
    one.release_lease("scheduler", "one").await.unwrap();
    assert!(two.lease("scheduler", "two", LONG).await.unwrap());
}

/// Nor is it an error to try, or to give up what nobody has.
pub async fn nobody_gives_up_anothers_lease(database: Database) {
    let store = database.open().await;
    assert!(store.lease("scheduler", "one", LONG).await.unwrap());
    store.release_lease("scheduler", "two").await.unwrap();
    store.release_lease("mirror", "two").await.unwrap();
    assert!(!store.lease("scheduler", "two", LONG).await.unwrap());
}
