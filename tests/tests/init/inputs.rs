//! Input files in real containers: below the working folder, and nowhere else.

use orcaops_init::codec::MAX_DATA;
use orcaops_init::message::{FromInit, InputEntry, InputLink, InputsDone, ToInit};
use orcaops_tests::container::InitContainer;
use sha2::{Digest, Sha256};

use crate::{argv, container, sh};

async fn directory(c: &mut InitContainer, path: &str) {
    let entry = InputEntry { path: path.to_owned(), mode: 0o755 };
    c.send(&ToInit::InputDirectory(entry)).await.unwrap();
}

async fn file(c: &mut InitContainer, path: &str, mode: u32, content: &[u8]) {
    c.send(&ToInit::InputFile(InputEntry { path: path.to_owned(), mode })).await.unwrap();
    for piece in content.chunks(MAX_DATA) {
        c.send(&ToInit::InputData(piece.to_vec())).await.unwrap();
    }
}

async fn link(c: &mut InitContainer, path: &str, target: &str) {
    let link = InputLink { path: path.to_owned(), target: target.to_owned() };
    c.send(&ToInit::InputLink(link)).await.unwrap();
}

async fn end(c: &mut InitContainer) -> InputsDone {
    c.send(&ToInit::InputsEnd).await.unwrap();
    match c.next().await.unwrap() {
        FromInit::InputsDone(done) => done,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn inputs_are_there_before_the_first_step() {
    let mut c = container().await;
    let large: Vec<u8> = (0..5_000_000u32).map(|n| (n % 251) as u8).collect();
    directory(&mut c, "empty").await;
    file(&mut c, "deep/er/run.sh", 0o755, b"#!/bin/sh\necho ran in $(pwd)\n").await;
    file(&mut c, "large", 0o640, &large).await;
    file(&mut c, "nothing", 0o644, b"").await;
    link(&mut c, "deep/link", "../large").await;
    assert_eq!(end(&mut c).await, InputsDone { error: None, disk_full: false });

    let mut run = argv(0, &["./deep/er/run.sh"]);
    run.cwd = String::new();
    assert_eq!(c.run(run).await.unwrap().text(), "ran in /work\n");
    let hash = format!("{:x}  /work/deep/link\n", Sha256::digest(&large));
    assert_eq!(c.run(argv(1, &["sha256sum", "/work/deep/link"])).await.unwrap().text(), hash);
    let modes = c.run(sh(2, "cd /work; stat -c '%a %s %n' empty large nothing")).await.unwrap();
    assert_eq!(modes.text(), "755 4096 empty\n640 5000000 large\n644 0 nothing\n");
}

#[tokio::test]
async fn inputs_that_lead_out_are_refused_by_name() {
    let mut c = container().await;
    for target in ["/etc", "..", "../../etc", "a/../.."] {
        link(&mut c, "out", target).await;
        let error = end(&mut c).await.error.unwrap();
        assert!(error.contains("the input out") && error.contains("leads out"), "{error}");
    }
    for path in ["../x", "/etc/x", "a/../../x"] {
        file(&mut c, path, 0o644, b"x").await;
        let error = end(&mut c).await.error.unwrap();
        assert!(error.contains(path) && error.contains("leads out"), "{error}");
    }
    c.run(sh(0, "ln -s /etc /work/etc; ln -s /tmp/y /work/y")).await.unwrap();
    for path in ["etc/x", "y"] {
        file(&mut c, path, 0o644, b"x").await;
        let error = end(&mut c).await.error.unwrap();
        assert!(error.contains(path) && error.contains("through a link"), "{error}");
    }
    let found = c.run(sh(1, "ls /x /etc/x /tmp/x /tmp/y /work/out 2>/dev/null")).await.unwrap();
    assert_eq!(found.text(), "");
    file(&mut c, "fine", 0o644, b"x").await;
    assert_eq!(end(&mut c).await.error, None);
}

#[tokio::test]
async fn a_full_disk_is_told_as_such() {
    let mut c = container().await;
    // The engine gives every container 64 MiB there.
    c.run(sh(0, "rmdir /work; mkdir /dev/shm/work; ln -s /dev/shm/work /work")).await.unwrap();
    c.send(&ToInit::InputFile(InputEntry { path: "big".to_owned(), mode: 0o644 })).await.unwrap();
    let piece = vec![7; MAX_DATA];
    for _ in 0..(65 * 1024 * 1024 / MAX_DATA) {
        c.send(&ToInit::InputData(piece.clone())).await.unwrap();
    }
    let done = end(&mut c).await;
    assert!(done.disk_full && done.error.unwrap().contains("the input big"));
}
