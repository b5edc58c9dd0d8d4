//! Deleting runs.

use sqlx::sqlite::SqlitePool;

use super::connection::WRITE;
use super::held;
use crate::domain::id::JobId;
use crate::store::Deletion;
use crate::store::failure::Failure;

const DELETE: &str = "DELETE FROM runs WHERE job_id = ?1";

pub(super) async fn delete(writer: &SqlitePool, job: &JobId) -> Result<Deletion, Failure> {
    let mut transaction = writer.begin_with(WRITE).await?;
    let runs = held::hold(&mut transaction, &[job.to_string()]).await?;
    match runs.first() {
        None => return Ok(Deletion::NotFound),
        Some(run) if !run.status.is_terminal() => return Ok(Deletion::NotTerminal),
        Some(_) => {}
    }
    sqlx::query(DELETE).bind(job.as_str()).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Deletion::Deleted)
}
