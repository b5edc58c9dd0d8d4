//! What is written: all of it, in order, without filling memory, and told apart from the background's.

use orcaops_init::message::{End, FromInit, ToInit};
use orcaops_tests::container::InitContainer;
use sha2::{Digest, Sha256};

use crate::{container, sh};

/// Counted up to, it makes about 50 MB of text.
const LINES: u32 = 6_600_000;
/// Far above what init holds back for its worker, far below what a step writes.
const MEMORY_KB: u64 = 12 * 1024;

fn kilobytes(status: &str) -> u64 {
    status.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn large_output_arrives_whole_and_in_order_at_a_slow_reader() {
    let mut c = container().await;
    let command = format!("seq 1 {LINES}; grep VmHWM /proc/1/status >&2");
    c.send(&ToInit::Step(sh(0, &command))).await.unwrap();
    // Nobody reads until everything on the way is full and the step stands still.
    c.idle().await.unwrap();
    let ran = c.finish(0).await.unwrap();
    assert_eq!(ran.end.end, End::Exited(0));
    let mut expected = Sha256::new();
    for line in 1..=LINES {
        expected.update(format!("{line}\n"));
    }
    assert_eq!(Sha256::digest(&ran.stdout), expected.finalize(), "{} bytes", ran.stdout.len());
    let peak = kilobytes(&String::from_utf8(ran.stderr).unwrap());
    assert!(peak < MEMORY_KB, "init used {peak} kB");
}

/// Reads until the background says something.
async fn background(c: &mut InitContainer) -> Vec<u8> {
    loop {
        match c.next().await.unwrap() {
            FromInit::Output(output) if output.step.is_none() => return output.data,
            FromInit::Output(_) | FromInit::Pong => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_a_step_leaves_running_outlives_it_and_is_marked() {
    let mut c = container().await;
    let ran = c.run(sh(0, "(while :; do echo tick; sleep 0.05; done) & echo mine")).await.unwrap();
    assert!(ran.text().contains("mine\n"));
    assert_eq!(ran.end.end, End::Exited(0));
    assert!(background(&mut c).await.starts_with(b"tick\n"));
    let ran = c.run(sh(1, "sleep 0.5; echo later")).await.unwrap();
    assert_eq!(ran.text(), "later\n");
    assert!(ran.background.starts_with(b"tick\n"));
}

#[tokio::test]
async fn a_background_that_never_stops_writing_does_not_hold_the_step() {
    let mut c = container().await;
    let ran = c.run(sh(0, "yes & exit 3")).await.unwrap();
    assert_eq!(ran.end.end, End::Exited(3));
    assert_eq!(background(&mut c).await.len() % 2, 0);
    let ran = c.run(sh(1, "echo beside")).await.unwrap();
    assert_eq!(ran.text(), "beside\n");
}

#[tokio::test]
async fn the_last_words_of_a_step_come_before_its_end() {
    let mut c = container().await;
    for index in 0..50 {
        let ran = c.run(sh(index, "head -c 60000 /dev/zero; head -c 3000 /dev/zero >&2")).await.unwrap();
        assert_eq!((ran.stdout.len(), ran.stderr.len()), (60_000, 3_000));
        assert!(ran.background.is_empty());
    }
}

#[tokio::test]
async fn a_step_that_closes_its_streams_goes_on() {
    let mut c = container().await;
    let ran = c.run(sh(0, "echo first; exec >&- 2>&-; sleep 0.3; exit 5")).await.unwrap();
    assert_eq!(ran.text(), "first\n");
    assert_eq!(ran.end.end, End::Exited(5));
}

#[tokio::test]
async fn a_job_cannot_write_between_the_frames() {
    let mut c = container().await;
    let ran =
        c.run(sh(0, "echo bad > /proc/1/fd/1 && exit 0; echo bad > /proc/1/fd/2 && exit 0; exit 9")).await;
    assert_eq!(ran.unwrap().end.end, End::Exited(9));
}
