//! Nothing that a step started outlives the step's end, however it was started and whatever it ignores.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orcaops_tests::laptop::Laptop;
use orcaops_tests::process::processes_with;
use orcaops_tests::table::{self, Row, job};
use orcaops_tests::wait::until;
use serde_json::json;

/// Starts, and leaves behind: a process that has forked twice into a session of its own, obeys no signal that
/// can be ignored and writes to a file every 100 ms; one that is stopped; one of another user. `{mark}` goes
/// into their command lines.
const BROOD: &str = "
    mkdir -p /out
    (setsid sh -c 'trap \"\" TERM INT HUP QUIT; : {mark}; while :; do echo beat >> /out/beat; sleep 0.1; done' &)
    (setsid sh -c 'trap \"\" TERM; : {mark}; touch /out/stopped; kill -STOP $$; sleep 600' &)
    (setsid sh -c ': {mark}; sleep 600; :' &)
    until [ -s /out/beat ] && [ -e /out/stopped ]; do sleep 0.05; done";

/// Looks at the file twice, for longer than its writer waits between two beats.
const LOOK_TWICE: &str = "
    before=$(stat -c %s /out/beat); sleep 1; after=$(stat -c %s /out/beat)
    echo $after; [ $before = $after ] || exit 1
    for p in /proc/[0-9]*; do pid=${p#/proc/}
        [ $pid = 1 ] || [ $pid = $$ ] || tr '\\0' ' ' < $p/cmdline; done 2>/dev/null";

fn brood(mark: &str) -> String {
    BROOD.replace("{mark}", mark)
}

fn mark() -> String {
    format!("mark-{}", uuid::Uuid::new_v4().simple())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_after_a_timeout_or_while_artifacts_are_read() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("3").await?;
    let stubborn = format!("{}; trap '' TERM; while :; do sleep 0.1; done", brood("timeout"));
    // The same file twice, with one between them that takes a while to send.
    let linked = "
        mkdir -p /out; echo > /out/a-beat; ln /out/a-beat /out/z-beat; truncate -s 128M /out/m-large
        (setsid sh -c 'trap \"\" TERM; while :; do echo beat >> /out/a-beat; done' &)
        until [ $(stat -c %s /out/z-beat) -gt 1000 ]; do sleep 0.05; done";
    let rows = vec![
        Row::new(
            "a tree that obeys nothing stops at its step's timeout, before the next step",
            job(
                &json!([
                    { "command": stubborn, "timeout_seconds": 5 },
                    { "command": LOOK_TWICE, "when": "always" },
                ]),
                &json!({ "artifacts": ["/out/beat"] }),
            ),
        )
        .ends("timed_out", "timeout")
        .exits(&[124, 0])
        .keeps(&["beat"])
        .check(|record| {
            let seen = record["steps"][1]["stdout"].as_str().unwrap_or_default().trim_end();
            let kept = record["artifacts"][0]["size_bytes"].to_string();
            if seen == kept { Ok(()) } else { Err(format!("the look: {seen:?}, the artifact: {kept} bytes")) }
        }),
        Row::new(
            "what a step has left running has ended before artifacts are read",
            job(&json!([{ "command": linked }]), &json!({ "artifacts": ["/out/*"] })),
        )
        .succeeds()
        .keeps(&["a-beat", "m-large", "z-beat"])
        .check(|record| {
            let hash = |n: usize| record["artifacts"][n]["sha256"].clone();
            if hash(0) == hash(2) { Ok(()) } else { Err("the file grew while it was read".to_owned()) }
        }),
    ];
    table::run(&laptop.client, rows).await?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_jobs_whole_tree_is_gone_from_the_host() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let mark = mark();
    let command = format!("{}; echo up; trap '' TERM; while :; do sleep 0.1; done", brood(&mark));
    let id = laptop.client.submit(&job(&json!([{ "command": command }]), &json!({}))).await?;
    let up = |_: &str, data: &str| Ok(data.contains("\"up\""));
    laptop.client.each_log_event(&id, up).await?;
    let alive = processes_with(&mark);
    ensure!(alive.len() >= 4, "the step and what it left are on this machine: {alive:?}");
    laptop.client.cancel(&id).await?;
    let record = laptop.client.ended(&id).await?;
    assert_eq!((&record["status"], &record["end_cause"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!(record["steps"][0]["exit_code"], 130, "{record:#}");
    // The step's end is told only once all of it has ended.
    let left = processes_with(&mark);
    ensure!(left.is_empty(), "still alive after the record's end: {left:?}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_tree_is_gone_from_the_host() -> Result<()> {
    let laptop = Laptop::new().await?;
    let mut dev = laptop.dev("1").await?;
    let mark = mark();
    let command = format!("{}; echo up; trap '' TERM; while :; do sleep 0.1; done", brood(&mark));
    let mut spec = job(&json!([{ "command": command }]), &json!({ "retry": { "max_attempts": 1 } }));
    spec["job_id"] = json!("orphaned");
    laptop.client.submit(&spec).await?;
    laptop.client.each_log_event("orphaned", |_, data| Ok(data.contains("\"up\""))).await?;
    ensure!(!processes_with(&mark).is_empty(), "the step is on this machine");
    dev.kill()?;
    until("the tree is gone", Duration::from_secs(20), async || processes_with(&mark).is_empty()).await?;
    let _dev = laptop.dev("1").await.context("the server starts again")?;
    let record = laptop.client.ended("orphaned").await?;
    assert_eq!((&record["status"], &record["end_cause"]), (&json!("failed"), &json!("lost")), "{record:#}");
    laptop.containers.all_gone().await
}
