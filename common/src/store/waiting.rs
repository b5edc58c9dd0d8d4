//! Why a queued run is not running yet.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use super::stamp::Stamp;
use crate::domain::id::PoolName;

/// A worker that said nothing for so long is not expected to take a job.
pub(super) const SEEN_WITHIN: Duration = Duration::from_secs(15);

/// The database's time and one pool's workers that were seen lately and take jobs; no pool when there is
/// none.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct PoolRow {
    now: Stamp,
    pool: Option<String>,
    slots: Option<i64>,
    busy: Option<i64>,
}

/// What queued runs wait for.
#[derive(Debug)]
pub(super) struct Queue {
    now: DateTime<Utc>,
    pools: HashMap<String, Slots>,
}

#[derive(Debug, Clone, Copy)]
struct Slots {
    all: i64,
    busy: i64,
}

impl Queue {
    pub(super) fn new(rows: Vec<PoolRow>) -> Self {
        let now = rows.first().map_or_else(Utc::now, |row| row.now.time());
        let pools = rows
            .into_iter()
            .filter_map(|r| Some((r.pool?, Slots { all: r.slots.unwrap_or(0), busy: r.busy.unwrap_or(0) })));
        Self { now, pools: pools.collect() }
    }

    /// Why a queued run of that pool waits.
    pub(super) fn reason(&self, pool: &PoolName, not_before: Option<Stamp>) -> String {
        if let Some(until) = not_before.map(Stamp::time).filter(|until| *until > self.now) {
            return format!("backing off until {}", until.to_rfc3339_opts(SecondsFormat::Millis, true));
        }
        match self.pools.get(pool.as_str()) {
            None => format!("no worker in pool `{pool}`"),
            Some(Slots { all: 1, busy: 1.. }) => format!("the one slot of pool `{pool}` is busy"),
            Some(Slots { all, busy }) if busy >= all => format!("all {all} slots of pool `{pool}` are busy"),
            Some(_) => "waiting for a worker to take it".to_owned(),
        }
    }
}
