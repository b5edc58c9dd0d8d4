//! Leases, judged by the database's clock.

use std::time::Duration;

use sqlx::postgres::PgPool;

use crate::store::failure::Failure;
use crate::store::stamp::micros;

const TAKE: &str = "INSERT INTO leases (name, holder, expires_at) \
     VALUES ($1, $2, clock_timestamp() + $3 * interval '1 microsecond') \
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
     WHERE leases.holder = excluded.holder OR leases.expires_at <= clock_timestamp()";

const RELEASE: &str = "DELETE FROM leases WHERE name = $1 AND holder = $2";

pub(super) async fn take(
    pool: &PgPool,
    name: &str,
    holder: &str,
    duration: Duration,
) -> Result<bool, Failure> {
    let taken = sqlx::query(TAKE).bind(name).bind(holder).bind(micros(duration)).execute(pool).await?;
    Ok(taken.rows_affected() == 1)
}

pub(super) async fn release(pool: &PgPool, name: &str, holder: &str) -> Result<(), Failure> {
    sqlx::query(RELEASE).bind(name).bind(holder).execute(pool).await?;
    Ok(())
}
