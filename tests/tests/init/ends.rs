//! How steps, jobs and containers are ended: all of it, always.

use std::time::Duration;

use orcaops_init::message::{Collect, End, FromInit, Grace, Hello, StepStart, ToInit};
use orcaops_tests::container::{InitContainer, Plan};

use crate::{GRACE_MS, argv, container, sh};

/// Leaves a daemon that has its own session and obeys no polite signal, and goes on itself.
const STUBBORN: &str = "trap '' TERM
    setsid /bin/sh -c 'trap \"\" TERM; echo $$ > /daemon; while :; do sleep 0.1; done' >/dev/null 2>&1 &
    (setsid sleep 1000 &)
    while [ ! -s /daemon ]; do sleep 0.02; done
    echo ready
    while :; do sleep 0.1; done";

/// Reads until the step says that it is ready.
async fn ready(c: &mut InitContainer) {
    loop {
        match c.next().await.unwrap() {
            FromInit::Output(output) if output.data.starts_with(b"ready") => return,
            FromInit::Output(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The names of all processes of the container, init's and this look's own left out.
async fn processes(c: &InitContainer) -> String {
    let list = "for p in /proc/[0-9]*; do pid=${p#/proc/}
        [ $pid = 1 ] || [ $pid = $$ ] || tr '\\0' ' ' < $p/cmdline 2>/dev/null; done";
    c.exec(&["/bin/sh", "-c", list]).await.unwrap()
}

#[tokio::test]
async fn a_timeout_ends_the_whole_tree() {
    let mut c = container().await;
    let ran = c.run(StepStart { timeout_ms: 3000, ..sh(0, STUBBORN) }).await.unwrap();
    assert_eq!(ran.end.end, End::TimedOut);
    assert_eq!(ran.text(), "ready\n");
    assert!(ran.end.duration_us >= 3_000_000 + GRACE_MS * 1000);
    assert_eq!(processes(&c).await, "");
    assert_eq!(c.run(sh(1, "echo on")).await.unwrap().text(), "on\n");
}

#[tokio::test]
async fn a_cancel_ends_the_whole_tree_and_refuses_later_steps() {
    let mut c = container().await;
    c.send(&ToInit::Step(sh(0, STUBBORN))).await.unwrap();
    ready(&mut c).await;
    c.send(&ToInit::Cancel(Grace { grace_ms: GRACE_MS })).await.unwrap();
    assert_eq!(c.finish(0).await.unwrap().end.end, End::Cancelled);
    assert_eq!(processes(&c).await, "");
    assert_eq!(c.run(sh(1, "echo no")).await.unwrap().end.end, End::Cancelled);
}

#[tokio::test]
async fn a_cancel_and_an_exit_are_heeded_while_nobody_reads() {
    let mut c = container().await;
    c.send(&ToInit::Step(sh(0, "yes"))).await.unwrap();
    c.idle().await.unwrap();
    assert_ne!(processes(&c).await, "");
    c.send(&ToInit::Cancel(Grace { grace_ms: 0 })).await.unwrap();
    c.idle().await.unwrap();
    assert_eq!(processes(&c).await, "");
    c.send(&ToInit::Exit).await.unwrap();
    while c.next_or_end().await.unwrap().is_some() {}
    c.gone().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_step_that_ends_politely_is_still_cancelled() {
    let mut c = container().await;
    let polite = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    c.send(&ToInit::Step(sh(0, polite))).await.unwrap();
    ready(&mut c).await;
    c.send(&ToInit::Cancel(Grace { grace_ms: 60_000 })).await.unwrap();
    let ran = c.finish(0).await.unwrap();
    assert_eq!(ran.end.end, End::Cancelled);
    assert!(ran.text().contains("bye"));
}

#[tokio::test]
async fn a_stopped_process_is_ended_too() {
    let mut c = container().await;
    let step = StepStart { timeout_ms: 500, grace_ms: 60_000, ..sh(0, "kill -STOP $$") };
    assert_eq!(c.run(step).await.unwrap().end.end, End::TimedOut);
}

#[tokio::test]
async fn a_cancel_between_steps_ends_the_background() {
    let mut c = container().await;
    c.run(sh(0, "sleep 1000 >/dev/null 2>&1 &")).await.unwrap();
    assert_ne!(processes(&c).await, "");
    c.send(&ToInit::Cancel(Grace { grace_ms: 60_000 })).await.unwrap();
    assert_eq!(c.run(sh(1, "true")).await.unwrap().end.end, End::Cancelled);
    // Collecting waits until all that was ended is gone.
    let none = Collect { patterns: Vec::new(), max_files: 1, max_bytes: 1 };
    c.collect(none).await.unwrap();
    assert_eq!(processes(&c).await, "");
}

#[tokio::test]
async fn collecting_ends_what_still_runs_and_hears_it_out() {
    let mut c = container().await;
    let last =
        "(trap 'echo last > /work/last; exit' TERM; echo up > /work/up; while :; do sleep 0.05; done) &
        while [ ! -e /work/up ]; do sleep 0.02; done";
    c.run(sh(0, last)).await.unwrap();
    let collect = Collect { patterns: vec!["*".to_owned()], max_files: 10, max_bytes: 1000 };
    let (artifacts, _) = c.collect(collect).await.unwrap();
    let names: Vec<_> = artifacts.iter().map(|a| a.begin.path.as_str()).collect();
    assert_eq!(names, ["last", "up"]);
    assert_eq!(processes(&c).await, "");
}

#[tokio::test]
async fn a_container_ends_with_its_workers_connection() {
    let mut c = container().await;
    c.send(&ToInit::Step(sh(0, STUBBORN))).await.unwrap();
    ready(&mut c).await;
    c.abandon();
    c.gone().await.unwrap();
}

#[tokio::test]
async fn a_container_ends_when_its_worker_is_silent_for_the_lease() {
    let lease = Duration::from_secs(1);
    let mut c = InitContainer::start_as(Plan { lease, ..Plan::default() }).await.unwrap();
    c.send(&ToInit::Step(sh(0, "sleep 1000"))).await.unwrap();
    c.gone().await.unwrap();
}

/// As when it freezes between the container's start and its greeting: the connection stays open.
#[tokio::test]
async fn a_container_ends_when_its_worker_never_greets_it() {
    let lease = Duration::from_secs(1);
    let c = InitContainer::start_silently(&Plan { lease, ..Plan::default() }).await.unwrap();
    c.gone().await.unwrap();
}

#[tokio::test]
async fn pings_are_answered_and_hold_the_lease() {
    let lease = Duration::from_secs(3);
    let mut c = InitContainer::start_as(Plan { lease, ..Plan::default() }).await.unwrap();
    // Twice the lease passes while it runs, told by the lines that it writes.
    let step = "for i in $(seq 60); do echo $i; sleep 0.1; done; echo end";
    c.send(&ToInit::Step(sh(0, step))).await.unwrap();
    let (mut pings, mut pongs) = (0, 0);
    loop {
        match c.next().await.unwrap() {
            FromInit::Output(_) => {
                c.send(&ToInit::Ping).await.unwrap();
                pings += 1;
            }
            FromInit::Pong => pongs += 1,
            FromInit::StepEnded(end) => break assert_eq!(end.end, End::Exited(0)),
            other => panic!("{other:?}"),
        }
    }
    while pongs < pings {
        assert_eq!(c.next().await.unwrap(), FromInit::Pong);
        pongs += 1;
    }
}

#[tokio::test]
async fn exit_and_the_engines_stop_end_the_container() {
    let mut c = container().await;
    c.run(sh(0, "sleep 1000 &")).await.unwrap();
    c.send(&ToInit::Exit).await.unwrap();
    c.gone().await.unwrap();
    let c = container().await;
    c.stop().await.unwrap();
    c.gone().await.unwrap();
}

#[tokio::test]
async fn a_job_cannot_end_its_init() {
    let mut c = container().await;
    let ran = c.run(sh(0, "kill 1; kill -INT 1; kill -KILL 1; kill -STOP 1; exit 6")).await.unwrap();
    assert_eq!(ran.end.end, End::Exited(6));
    assert_eq!(c.run(argv(1, &["echo", "there"])).await.unwrap().text(), "there\n");
}

/// What init says when it is told something that it can't understand.
async fn fatal(c: &mut InitContainer) -> String {
    match c.next().await.unwrap() {
        FromInit::Fatal(fatal) => {
            assert_eq!(c.next_or_end().await.unwrap(), None);
            c.gone().await.unwrap();
            fatal.error
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_broken_protocol_ends_the_container_with_the_reason() {
    let mut c = container().await;
    c.send_raw(&[255, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(fatal(&mut c).await, "a frame is of the unknown kind 255");

    let mut c = container().await;
    c.send(&ToInit::Step(sh(0, "sleep 1000"))).await.unwrap();
    c.send(&ToInit::Step(sh(1, "true"))).await.unwrap();
    assert!(fatal(&mut c).await.contains("before the last work was done"));
}

#[tokio::test]
async fn the_greeting_comes_first_and_in_one_version() {
    let plan = Plan::default();
    let mut c = InitContainer::start_silently(&plan).await.unwrap();
    c.send(&ToInit::Step(sh(0, "true"))).await.unwrap();
    assert!(fatal(&mut c).await.contains("greeting"));

    let mut c = InitContainer::start_silently(&plan).await.unwrap();
    c.send(&ToInit::Hello(Hello { version: 99, ..plan.hello })).await.unwrap();
    assert!(fatal(&mut c).await.contains("version 99"));
}
