//! Leases, judged by the database's clock.

use std::time::Duration;

use sqlx::sqlite::SqlitePool;

use super::clock::now;
use crate::store::failure::Failure;
use crate::store::stamp::micros;

const TAKE: &str = concat!(
    "INSERT INTO leases (name, holder, expires_at) \
     VALUES (?1, ?2, ",
    now!(),
    " + ?3) \
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
     WHERE leases.holder = excluded.holder OR leases.expires_at <= ",
    now!()
);

const RELEASE: &str = "DELETE FROM leases WHERE name = ?1 AND holder = ?2";

pub(super) async fn take(
    writer: &SqlitePool,
    name: &str,
    holder: &str,
    duration: Duration,
) -> Result<bool, Failure> {
    let taken = sqlx::query(TAKE).bind(name).bind(holder).bind(micros(duration)).execute(writer).await?;
    Ok(taken.rows_affected() == 1)
}

pub(super) async fn release(writer: &SqlitePool, name: &str, holder: &str) -> Result<(), Failure> {
    sqlx::query(RELEASE).bind(name).bind(holder).execute(writer).await?;
    Ok(())
}
