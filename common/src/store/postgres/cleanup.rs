//! Runs that have ended and whose container's end is not known.

use std::time::Duration;

use sqlx::postgres::PgPool;

use crate::store::Unsettled;
use crate::store::columns::unsettled_columns;
use crate::store::failure::Failure;
use crate::store::rows::UnsettledRow;
use crate::store::stamp::micros;

const UNSETTLED: &str = concat!(
    "SELECT ",
    unsettled_columns!(),
    " FROM runs WHERE cleanup_status = 'pending' \
     AND finished_at < clock_timestamp() - $1 * interval '1 microsecond' \
     ORDER BY finished_at, job_id LIMIT $2"
);

pub(super) async fn unsettled(
    pool: &PgPool,
    older_than: Duration,
    limit: u32,
) -> Result<Vec<Unsettled>, Failure> {
    let rows: Vec<UnsettledRow> =
        sqlx::query_as(UNSETTLED).bind(micros(older_than)).bind(i64::from(limit)).fetch_all(pool).await?;
    rows.into_iter().filter_map(|row| row.into_unsettled().transpose()).collect()
}
