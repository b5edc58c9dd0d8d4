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
        (&["*/sub", "/tmp/*/y/"], &["out/sub/d.txt", "x/y/b.log"]),
        (&["out/[!ab].*"], &["out/c.log"]),
        (&["out/{a.txt,sub/*,c.*}"], &["out/a.txt", "out/c.log", "out/sub/d.txt"]),
        (&["/tmp/{x/y,}/*.log"], &["x/y/b.log"]),
        (&["out", "!out/sub"], &["out/a.txt", "out/b.txt", "out/c.log"]),
        (&["out/**", "!**/*.txt"], &["out/c.log"]),
        (&["out/**", "!out/{a,b}.txt", "!nothing/here", "!*.txt"], &["out/c.log", "out/sub/d.txt"]),
        (&["out/**", "!**/*.txt", "out/b.*"], &["out/b.txt", "out/c.log"]),
        (&["!out/a.txt", "out/*.txt"], &["out/a.txt", "out/b.txt"]),
        (&["/tmp/x", "!/tmp/x/y/**"], &["x/a.log"]),
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
    let files = "mkfifo pipe; ln -s /etc/passwd link; ln -s / dir; touch $(printf 'bad\\377name') fine .orcaops-tmp-x";
    let mut c = with_files(files).await;
    let (artifacts, mut collected) = collect(&mut c, &["*", "nothing/*", "none", "/proc/1/*", "../x"]).await;
    assert_eq!(names(&artifacts).into_keys().collect::<Vec<_>>(), ["fine"]);
    collected.skipped.sort();
    let reasons = [
        "/proc/1: no artifacts are taken from there",
        "/work/.orcaops-tmp-x: names that start like that are OrcaOps' own",
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
async fn no_link_leads_out_and_none_is_followed() {
    let files = "mkdir -p in /out; echo in > in/f; echo out > /out/f; ln -s in inner; ln -s ../out outer; \
                 ln -s /out absolute; ln -s in/f file; ln -s in/missing dangling; ln -s loop loop";
    let mut c = with_files(files).await;
    let patterns =
        ["inner", "outer", "absolute", "file", "dangling", "outer/*", "absolute/f", "loop/*", "inner/f"];
    let (artifacts, mut collected) = collect(&mut c, &patterns).await;
    assert_eq!(names(&artifacts), [("inner/f", "/work/inner/f")].into(), "the folder is within");
    collected.skipped.sort();
    let reasons = [
        "/work/absolute/f: a symbolic link leads out of the working folder",
        "/work/absolute: a symbolic link leads out of the working folder",
        "/work/file: it is a symbolic link",
        "/work/inner: it is a symbolic link",
        "/work/loop: Too many levels of symbolic links (os error 40)",
        "/work/outer: a symbolic link leads out of the working folder",
        "/work/outer: a symbolic link leads out of the working folder",
    ];
    assert_eq!(collected.skipped, reasons);
    assert_eq!(collected.unmatched, ["dangling"]);
}

#[tokio::test]
async fn a_link_in_an_absolute_patterns_way_is_its_users_wish() {
    let mut c = with_files("mkdir /real; echo x > /real/f; ln -s /real /alias; ln -s /proc/self /me").await;
    let (artifacts, collected) = collect(&mut c, &["/alias/*", "/me/cmdline", "/alias"]).await;
    assert_eq!(names(&artifacts), [("f", "/alias/f")].into());
    let reasons = ["/me/cmdline: no artifacts are taken from there", "/alias: it is a symbolic link"];
    assert_eq!(collected.skipped, reasons);
}

#[tokio::test]
async fn a_sparse_file_counts_as_large_as_it_says_and_is_refused_unread() {
    let mut c =
        with_files("echo small > a; truncate -s 1024G sparse; truncate -s 50M fits; echo z > z").await;
    let (artifacts, collected) = collect(&mut c, &["*"]).await;
    assert_eq!(names(&artifacts).into_keys().collect::<Vec<_>>(), ["a", "fits", "z"]);
    assert_eq!(collected.limit.unwrap(), "the files that match hold more than 100000000 bytes");
    let sparse = "/work/sparse: it has 1099511627776 bytes, of which only 47571194 may still be kept";
    assert_eq!(collected.skipped, [sparse]);
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
