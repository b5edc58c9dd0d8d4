//! Artifacts out of real containers.

use std::collections::BTreeMap;

use orcaops_init::message::{Collect, Collected};
use orcaops_tests::container::{Artifact, InitContainer};
use sha2::{Digest, Sha256};

use crate::{container, sh};

const MAX_FILES: u32 = 100;
const MAX_BYTES: u64 = 100_000_000;

async fn collect(c: &mut InitContainer, patterns: &[&str]) -> (Vec<Artifact>, Collected) {
    limited(c, patterns, MAX_FILES, MAX_BYTES).await
}

async fn limited(
    c: &mut InitContainer,
    patterns: &[&str],
    max_files: u32,
    max_bytes: u64,
) -> (Vec<Artifact>, Collected) {
    let patterns = patterns.iter().map(|p| (*p).to_owned()).collect();
    c.collect(Collect { patterns, max_files, max_bytes }).await.unwrap()
}

/// From name to path in the container.
fn names(artifacts: &[Artifact]) -> BTreeMap<&str, &str> {
    artifacts.iter().map(|a| (a.begin.path.as_str(), a.begin.source.as_str())).collect()
}

async fn with_files(script: &str) -> InitContainer {
    let mut c = container().await;
    let ran = c.run(sh(0, &format!("set -e; cd /work; {script}"))).await.unwrap();
    assert!(ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
    c
}

#[tokio::test]
async fn files_come_whole_and_hashed_with_their_modes() {
    let mut c = with_files("seq 1 500000 > big; : > empty; echo x > run; chmod 750 run").await;
    let (artifacts, collected) = collect(&mut c, &["*"]).await;
    assert_eq!(collected, Collected::default());
    assert_eq!(
        names(&artifacts),
        [("big", "/work/big"), ("empty", "/work/empty"), ("run", "/work/run")].into()
    );
    let expected: String = (1..=500_000).map(|n| format!("{n}\n")).collect();
    assert_eq!(artifacts[0].data, expected.as_bytes());
    for artifact in &artifacts {
        assert_eq!(artifact.end.sha256, format!("{:x}", Sha256::digest(&artifact.data)));
        assert_eq!(artifact.end.size, artifact.data.len() as u64);
        assert_eq!(artifact.begin.size, artifact.end.size);
    }
    assert_eq!((artifacts[0].begin.mode, artifacts[2].begin.mode), (0o644, 0o750));
}

#[tokio::test]
async fn patterns_choose_and_name() {
    let files = "mkdir -p out/sub /tmp/x/y; touch out/a.txt out/b.txt out/c.log out/sub/d.txt \
                 /tmp/x/a.log /tmp/x/y/b.log /tmp/app";
    for (patterns, expected) in [
        (&["out/*.txt"][..], &["out/a.txt", "out/b.txt"][..]),
        (&["**/*.txt"], &["out/a.txt", "out/b.txt", "out/sub/d.txt"]),
        (&["out"], &["out/a.txt", "out/b.txt", "out/c.log", "out/sub/d.txt"]),
        (&["./out/sub/"], &["out/sub/d.txt"]),
        (&["out/?.log", "out/c.log"], &["out/c.log"]),
        (&["/tmp/x/*.log"], &["a.log"]),
        (&["/tmp/x/**/*.log", "/tmp/app"], &["a.log", "app", "y/b.log"]),
        (&["/tmp/x"], &["x/a.log", "x/y/b.log"]),
        (&["out/[ab].txt"], &["out/a.txt", "out/b.txt"]),
    ] {
        let mut c = with_files(files).await;
        let (artifacts, collected) = collect(&mut c, patterns).await;
        assert_eq!(names(&artifacts).into_keys().collect::<Vec<_>>(), expected, "{patterns:?}");
        assert_eq!(collected, Collected::default(), "{patterns:?}");
    }
}

#[tokio::test]
async fn names_that_clash_or_are_reserved_become_full_paths() {
    let mut c =
        with_files("mkdir -p logs /x /y; touch run.json logs/log.jsonl; echo 1 > /x/a; echo 2 > /y/a").await;
    let (artifacts, _) = collect(&mut c, &["/x/*", "/y/*", "run.json", "logs"]).await;
    let expected = [
        ("a", "/x/a"),
        ("work/logs/log.jsonl", "/work/logs/log.jsonl"),
        ("work/run.json", "/work/run.json"),
        ("y/a", "/y/a"),
    ];
    assert_eq!(names(&artifacts), expected.into());
}

#[tokio::test]
async fn what_cannot_be_taken_is_named_with_its_reason() {
    let files = "mkfifo pipe; ln -s /etc/passwd link; ln -s / dir; touch $(printf 'bad\\377name') fine";
    let mut c = with_files(files).await;
    let (artifacts, mut collected) = collect(&mut c, &["*", "nothing/*", "none", "/proc/1/*", "../x"]).await;
    assert_eq!(names(&artifacts).into_keys().collect::<Vec<_>>(), ["fine"]);
    collected.skipped.sort();
    let reasons = [
        "/proc/1: no artifacts are taken from there",
        "/work/bad\u{fffd}name: its name is not UTF-8",
        "/work/dir: it is a symbolic link",
        "/work/link: it is a symbolic link",
        "/work/pipe: it is not a regular file",
        "the pattern ../x: it contains ..",
    ];
    assert_eq!(collected.skipped, reasons);
    assert_eq!(collected.unmatched, ["../x", "nothing/*", "none"]);
    assert_eq!(collected.limit, None);
}

#[tokio::test]
async fn links_to_folders_are_not_followed_and_system_folders_not_entered() {
    let mut c = with_files("mkdir real; touch real/f; ln -s real linked; ln -s / root").await;
    let (artifacts, _) = collect(&mut c, &["**/f", "/**/cmdline", "/**/init"]).await;
    assert_eq!(names(&artifacts).into_keys().collect::<Vec<_>>(), ["real/f"]);
}

#[tokio::test]
async fn the_first_so_many_files_are_sent_and_the_limit_is_told() {
    let mut c = with_files("for i in $(seq 100 150); do echo $i > $i; done").await;
    let (artifacts, collected) = limited(&mut c, &["*"], 3, MAX_BYTES).await;
    assert_eq!(names(&artifacts).into_keys().collect::<Vec<_>>(), ["100", "101", "102"]);
    assert_eq!(collected.limit.unwrap(), "more than 3 files match");
}

#[tokio::test]
async fn so_many_bytes_are_sent_and_the_limit_is_told() {
    let mut c = with_files("for i in a b c; do head -c 1000 /dev/zero > $i; done").await;
    let (artifacts, collected) = limited(&mut c, &["*"], MAX_FILES, 2500).await;
    assert_eq!(names(&artifacts).into_keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(collected.limit.unwrap(), "the files that match hold more than 2500 bytes");
}

#[tokio::test]
async fn artifacts_can_be_collected_again_and_steps_run_after() {
    let mut c = with_files("touch a").await;
    assert_eq!(collect(&mut c, &["*"]).await.0.len(), 1);
    assert_eq!(c.run(sh(1, "touch /work/b")).await.unwrap().end.index, 1);
    assert_eq!(collect(&mut c, &["*"]).await.0.len(), 2);
}
