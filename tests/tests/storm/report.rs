//! What became of the storm's jobs.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

/// A job that was cancelled.
pub(crate) struct Cancelled {
    pub(crate) job: String,
    /// The status that the answer named.
    pub(crate) answer: String,
    pub(crate) phase: &'static str,
    /// Its record when it was first seen ended.
    pub(crate) ended: Value,
}

/// The phase that a cancellation met, as far as the record tells.
pub(crate) fn phase(before: &Value, answer: &str, ended: &Value) -> &'static str {
    match answer {
        "cancelled" if before["status"] == "queued" && before["attempt"] == 0 => "queued",
        "cancelled" if before["status"] == "queued" => "between attempts",
        "running" => running_phase(ended),
        _ if before["cleanup_status"] == "pending" || before["cleanup_status"].is_null() => {
            "ended, being removed"
        }
        _ => "ended and removed",
    }
}

fn running_phase(ended: &Value) -> &'static str {
    let steps = ended["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_collecting = || ended["job_id"].as_str().is_some_and(|id| id.ends_with("artifacts"));
    match (ended["status"].as_str(), steps.last()) {
        (Some("cancelled"), None) if ended["sandbox_id"].is_null() => "before its container",
        (Some("cancelled"), None) => "before its first step's end",
        (Some("cancelled"), Some(step)) if step["exit_code"] == 130 => "in a step",
        (Some("cancelled"), Some(_)) if is_collecting() => "collecting",
        (Some("cancelled"), Some(_)) => "between steps",
        _ => "ended first",
    }
}

/// All that was seen.
pub(crate) struct Report {
    statuses: BTreeMap<String, usize>,
    phases: BTreeMap<&'static str, usize>,
    volumes: usize,
    faults: Vec<String>,
}

impl Report {
    pub(crate) fn new(volumes: usize, left: Vec<String>) -> Self {
        let faults = left.into_iter().map(|volume| format!("volume {volume} is left")).collect();
        Self { statuses: BTreeMap::new(), phases: BTreeMap::new(), volumes, faults }
    }

    /// Adds a job, with its record now that all is over.
    pub(crate) fn add(&mut self, cancelled: Cancelled, now: Value) {
        let Cancelled { job, answer, phase, ended } = cancelled;
        let status = now["status"].as_str().unwrap_or_default().to_owned();
        let mut fault = |what: &str| self.faults.push(format!("{job}: {what}: {now:#}"));
        for field in ["status", "end_cause", "finished_at", "error", "attempt", "steps", "artifacts"] {
            if ended[field] != now[field] {
                fault(&format!("{field} changed after the end, from {}", ended[field]));
            }
        }
        if answer != "running" && answer != status {
            fault(&format!("the cancellation's answer was {answer}"));
        }
        if (status == "cancelled") != (now["end_cause"] == "cancelled") {
            fault("status and cause do not agree");
        }
        let files = now["artifacts"].as_array().map_or(0, Vec::len);
        if status == "success" && job.ends_with("artifacts") && files != 6 {
            fault("it succeeded without its artifacts");
        }
        if !now["sandbox_id"].is_null() && now["cleanup_status"] != json!("destroyed") {
            fault("its container's end is not in its record");
        }
        *self.statuses.entry(status).or_default() += 1;
        *self.phases.entry(phase).or_default() += 1;
    }

    /// Looks at the list of all runs: one for each job.
    pub(crate) fn listed(&mut self, page: &Value) {
        let all = self.statuses.values().sum::<usize>();
        let runs = page["runs"].as_array().map_or(0, Vec::len);
        if page["total"] != json!(all) || runs != all {
            self.faults.push(format!("{all} jobs, and {} records, {runs} of them listed", page["total"]));
        }
    }

    /// Fails with all that is wrong.
    pub(crate) fn is_sound(&self) -> Result<()> {
        ensure!(self.faults.is_empty(), "{}", self.faults.join("\n"));
        ensure!(self.volumes > 0, "no volume was seen, so none could be seen to be gone");
        ensure!(self.phases.len() >= 5, "the storm met too few phases");
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "jobs by status: {:?}", self.statuses)?;
        writeln!(f, "cancelled in phase: {:#?}", self.phases)?;
        write!(f, "volumes made: {}", self.volumes)
    }
}

/// In the database: nobody finished a job twice, and no attempt is open.
pub(crate) async fn attempts_agree(database: &str) -> Result<()> {
    let pool = sqlx::PgPool::connect(database).await?;
    let twice: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT job_id FROM attempts WHERE outcome IN ('finished', 'cancelled', 'lost')
         GROUP BY job_id HAVING count(*) > 1) AS twice",
    )
    .fetch_one(&pool)
    .await?;
    let open: i64 =
        sqlx::query_scalar("SELECT count(*) FROM attempts WHERE outcome IS NULL").fetch_one(&pool).await?;
    let outcomes: Vec<(Option<String>, i64)> =
        sqlx::query_as("SELECT outcome, count(*) FROM attempts GROUP BY outcome ORDER BY outcome")
            .fetch_all(&pool)
            .await?;
    pool.close().await;
    println!("attempts by outcome: {outcomes:?}");
    ensure!((twice, open) == (0, 0), "jobs that ended twice: {twice}, attempts that did not end: {open}");
    Ok(())
}
