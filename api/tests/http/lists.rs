//! Lists of jobs and runs.

use std::collections::HashSet;

use serde_json::Value;

use crate::support::{Fixture, spec};

fn ids(page: &Value) -> Vec<String> {
    page.as_array().unwrap().iter().map(|run| run["job_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn jobs_are_listed_newest_first_and_by_offset() {
    let fixture = Fixture::start().await;
    for n in 0..5 {
        fixture.submit(&spec(&format!("job-{n}"))).await;
    }
    let page = fixture.get("/orcaops/jobs?limit=2&offset=1").await.json();
    assert_eq!(ids(&page["jobs"]), ["job-3", "job-2"]);
    assert_eq!(page["count"], 2);
    let page = fixture.get("/orcaops/runs?limit=2&offset=3").await.json();
    assert_eq!(ids(&page["runs"]), ["job-1", "job-0"]);
    assert_eq!((&page["total"], &page["offset"], &page["limit"]), (&5.into(), &3.into(), &2.into()));
}

#[tokio::test]
async fn a_walk_by_cursor_misses_none_and_repeats_none_while_jobs_arrive() {
    let fixture = Fixture::start().await;
    for n in 0..7 {
        fixture.submit(&spec(&format!("job-{n}"))).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = fixture.get(&format!("/orcaops/jobs?limit=3{cursor}")).await.json();
        seen.extend(ids(&page["jobs"]));
        fixture.submit(&spec(&format!("late-{}", seen.len()))).await;
        match page["next"].as_str() {
            Some(next) => cursor = format!("&after={next}"),
            None => break,
        }
    }
    let unique: HashSet<_> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len(), "{seen:?}");
    assert_eq!(seen, (0..7).rev().map(|n| format!("job-{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn lists_filter_by_status() {
    let fixture = Fixture::start().await;
    for n in 0..3 {
        fixture.submit(&spec(&format!("job-{n}"))).await;
    }
    fixture.post("/orcaops/jobs/job-1/cancel", &Value::Null).await;
    let page = fixture.get("/orcaops/jobs?status=cancelled").await.json();
    assert_eq!(ids(&page["jobs"]), ["job-1"]);
    let page = fixture.get("/orcaops/runs?status=queued").await.json();
    assert_eq!((ids(&page["runs"]), &page["total"]), (vec!["job-2".into(), "job-0".into()], &2.into()));
}

#[tokio::test]
async fn parameters_out_of_range_are_refused_by_name() {
    let fixture = Fixture::start().await;
    let wrong = [
        ("/orcaops/jobs?limit=0", "limit"),
        ("/orcaops/jobs?limit=201", "limit"),
        ("/orcaops/runs?limit=x", "limit"),
        ("/orcaops/runs?offset=-1", "offset"),
        ("/orcaops/jobs?status=asleep", "status"),
        ("/orcaops/jobs?after=nonsense", "after"),
    ];
    for (path, name) in wrong {
        let problem = fixture.get(path).await.problem(422, "invalid_parameter");
        assert!(problem["detail"].as_str().unwrap().contains(name), "{path}: {problem}");
    }
}
