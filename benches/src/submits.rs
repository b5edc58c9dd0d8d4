//! Submissions that survive a crash, against what the database itself can do.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use orcaops_benches::ratio::{Comparison, Goal};
use orcaops_tests::client::shell;
use orcaops_tests::fleet::Fleet;
use serde_json::{Value, json};

/// How many at once, on both sides.
const CLIENTS: usize = 16;
/// How many each client makes in a round.
const EACH: usize = 40;

/// Submissions a second.
pub(crate) async fn rate(fleet: &Fleet, rounds: usize) -> Result<Comparison> {
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(u32::try_from(CLIENTS)?)
        .connect(fleet.database())
        .await?;
    sqlx::query("CREATE TABLE bench (id text PRIMARY KEY, spec jsonb NOT NULL)").execute(&pool).await?;
    let spec = spec();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let rate = |started: Instant| (CLIENTS * EACH) as f64 / started.elapsed().as_secs_f64();
    for _ in 0..rounds {
        let started = Instant::now();
        try_join_all((0..CLIENTS).map(|_| submit(fleet, &spec))).await?;
        ours.push(rate(started));

        let started = Instant::now();
        try_join_all((0..CLIENTS).map(|_| insert(&pool, &spec))).await?;
        theirs.push(rate(started));
    }
    pool.close().await;
    cancel_all(fleet).await?;
    Ok(Comparison::of(
        "durable submits (16 clients)",
        "insert + commit, same Postgres",
        "1/s",
        Goal::AtLeast(0.7),
        &ours,
        &theirs,
    ))
}

/// Nobody works in this pool, so that submissions are all that is measured.
fn spec() -> Value {
    let mut spec = shell(&["echo hello"]);
    spec["pool"] = json!("nobody");
    spec
}

async fn submit(fleet: &Fleet, spec: &Value) -> Result<()> {
    for _ in 0..EACH {
        fleet.client.submit(spec).await?;
    }
    Ok(())
}

async fn insert(pool: &sqlx::PgPool, spec: &Value) -> Result<()> {
    for _ in 0..EACH {
        let id = uuid::Uuid::new_v4().to_string();
        let done =
            sqlx::query("INSERT INTO bench (id, spec) VALUES ($1, $2)").bind(id).bind(spec).execute(pool);
        ensure!(done.await?.rows_affected() == 1, "not inserted");
    }
    Ok(())
}

async fn cancel_all(fleet: &Fleet) -> Result<()> {
    loop {
        let (_, page) = fleet.client.get("/orcaops/jobs?status=queued&limit=200").await?;
        let jobs = page["jobs"].as_array().context("no jobs")?;
        if jobs.is_empty() {
            return Ok(());
        }
        let ids = jobs.iter().filter_map(|j| j["job_id"].as_str());
        try_join_all(ids.map(|id| fleet.client.cancel(id))).await?;
    }
}
