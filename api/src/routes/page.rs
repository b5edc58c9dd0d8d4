//! Pages of runs: how far a list has been read, as an opaque token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use orcaops_common::domain::id::JobId;
use orcaops_common::domain::run::{JobStatus, RunRecord};
use orcaops_common::store::{RunCursor, RunQuery};

use crate::problem::{Kind, Problem};

/// How many runs a page has when nothing is said.
pub(crate) fn default_limit() -> u32 {
    50
}

/// The query for a page.
pub(crate) fn query(
    status: Option<JobStatus>,
    offset: u64,
    limit: u32,
    after: Option<&str>,
) -> Result<RunQuery, Problem> {
    let after = after.map(|token| {
        parse(token).ok_or_else(|| {
            let detail = "`after` is not a cursor; pass on `next` of the page before, unchanged";
            Problem::new(Kind::InvalidParameter, detail)
        })
    });
    Ok(RunQuery { status, after: after.transpose()?, offset, limit })
}

/// The token for what comes after a page, unless the page shows that nothing does.
pub(crate) fn next(page: &[RunRecord], limit: u32) -> Option<String> {
    let last = page.last().filter(|_| page.len() >= limit as usize)?;
    let place = format!("{} {}", last.created_at.to_rfc3339_opts(SecondsFormat::Nanos, true), last.job_id);
    Some(URL_SAFE_NO_PAD.encode(place))
}

fn parse(token: &str) -> Option<RunCursor> {
    let place = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (created_at, job_id) = place.split_once(' ')?;
    let created_at = DateTime::parse_from_rfc3339(created_at).ok()?.with_timezone(&Utc);
    Some(RunCursor { created_at, job_id: JobId::new(job_id).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_token_and_anything_else_is_refused() {
        let created_at = "2026-01-02T03:04:05.678901Z".parse().unwrap();
        let token = URL_SAFE_NO_PAD.encode("2026-01-02T03:04:05.678901000Z job-1");
        let cursor = RunCursor { created_at, job_id: JobId::new("job-1").unwrap() };
        assert_eq!(parse(&token), Some(cursor));
        for bad in ["", "x", "%", &URL_SAFE_NO_PAD.encode("yesterday job-1"), &URL_SAFE_NO_PAD.encode("no")] {
            assert_eq!(parse(bad), None, "{bad:?} was accepted");
        }
    }
}
