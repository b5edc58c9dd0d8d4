//! Recording events: a handful of statements a batch, however many events.

use sqlx::postgres::{PgConnection, PgPool};

use super::{held, save};
use crate::domain::event::Event;
use crate::store::Recorded;
use crate::store::apply::{self, Batch};
use crate::store::failure::Failure;
use crate::store::rows::{ArtifactKeyRow, StepKeyRow};

const STEP_KEYS: &str = "SELECT job_id, dispatch, delivery, step_index FROM steps WHERE job_id = ANY($1)";
const ARTIFACT_KEYS: &str = "SELECT job_id, dispatch, delivery, path FROM artifacts WHERE job_id = ANY($1)";

pub(super) async fn record(
    pool: &PgPool,
    events: &[Event],
    accept_gaps: bool,
) -> Result<Vec<Recorded>, Failure> {
    let mut transaction = pool.begin().await?;
    let mut batch = load(&mut transaction, events).await?;
    let recorded = events.iter().map(|event| batch.apply(event, accept_gaps)).collect();
    save::save(&mut transaction, &batch.into_changes()).await?;
    transaction.commit().await?;
    Ok(recorded)
}

async fn load(connection: &mut PgConnection, events: &[Event]) -> Result<Batch, Failure> {
    // The runs' locks come first: what is read after them stays as it is.
    let runs = held::hold(connection, &apply::jobs(events)).await?;
    let jobs = apply::jobs_with_rows(events);
    if jobs.is_empty() {
        return Batch::new(runs, Vec::new(), Vec::new());
    }
    let steps: Vec<StepKeyRow> = sqlx::query_as(STEP_KEYS).bind(&jobs).fetch_all(&mut *connection).await?;
    let artifacts: Vec<ArtifactKeyRow> =
        sqlx::query_as(ARTIFACT_KEYS).bind(&jobs).fetch_all(connection).await?;
    Batch::new(runs, steps, artifacts)
}
