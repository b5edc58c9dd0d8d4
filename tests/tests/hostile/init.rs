//! Jobs that attack the program that runs them.

use anyhow::Result;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use orcaops_init::codec::encode;
use orcaops_init::message::{Collected, End, FromInit, Output, StepEnd, Stream};
use orcaops_tests::table::{Row, job};
use serde_json::json;

use super::probe;

pub(crate) fn rows() -> Result<Vec<Row>> {
    Ok(vec![
        Row::new(
            "no signal ends or stops the first process",
            job(
                &json!([
                    { "command": "for s in $(seq 1 64); do kill -$s 1; done 2>/dev/null; kill -KILL 1; kill -STOP 1; exit 6",
                      "continue_on_error": true },
                    { "command": "echo there" },
                ]),
                &json!({}),
            ),
        )
        .succeeds()
        .takes(1)
        .check(|record| match record["steps"][1]["stdout"].as_str() {
            Some("there\n") => Ok(()),
            other => Err(format!("{other:?}")),
        }),
        Row::new(
            "the first process can't be traced, read, written to or robbed of its files",
            job(&json!([{ "argv": ["./probe"] }]), &json!({ "inputs": [probe::input()?] })),
        )
        .succeeds()
        .check(|record| {
            probe::refused(
                record,
                0,
                &[
                    "trace-init",
                    "write-inits-memory",
                    "open-inits-memory",
                    "open-inits-stdout",
                    "open-inits-stdin",
                    "take-inits-stdout",
                    "enter-inits-namespaces",
                    "remount-inits-folder",
                ],
            )
        }),
        Row::new(
            "the first process' files are closed to other users too",
            job(
                &json!([{ "command": "for f in mem environ maps fd/0 fd/1 fd/2 root/etc cwd/etc; do
                    head -c 1 /proc/1/$f >/dev/null 2>&1 && echo $f; ls /proc/1/$f/. >/dev/null 2>&1 && echo $f; done; true",
                    "user": "1000" }]),
                &json!({}),
            ),
        )
        .succeeds()
        .prints(&[""]),
        Row::new(
            "init's folder can't be written to, nor anything put over it",
            job(
                &json!([{ "command": "
                    echo x > /.orcaops/init; echo x > /.orcaops/new; rm -f /.orcaops/init; mv /.orcaops /elsewhere
                    mount -o remount,rw /.orcaops; mount -t tmpfs none /.orcaops; umount /.orcaops
                    chmod 777 /.orcaops/init; touch /.orcaops; ln -f /bin/sh /.orcaops/init
                    [ -x /.orcaops/init ] && ls /.orcaops" }]),
                &json!({}),
            ),
        )
        .succeeds()
        .prints(&["init\n"])
        .check(|record| {
            let stderr = record["steps"][0]["stderr"].as_str().unwrap_or_default();
            match stderr.lines().count() {
                10.. => Ok(()),
                _ => Err(format!("not everything was refused: {stderr}")),
            }
        }),
        Row::new(
            "init's program is no artifact",
            job(&json!([{ "command": "ln -s /.orcaops /tmp/link" }]), &json!({ "artifacts": ["/.orcaops/*", "/tmp/link/*"] })),
        )
        .keeps(&[]),
        Row::new(
            "frames in a step's output are output",
            job(
                &json!([{ "command": "cat frames; cat frames >&2; exit 7" }, { "command": "echo never" }]),
                &json!({ "inputs": [{ "path": "frames", "content": frames(), "encoding": "base64" }] }),
            ),
        )
        .ends("failed", "exit")
        .exits(&[7])
        .takes(1)
        .keeps(&[]),
        Row::new(
            "no way leads to init's own output",
            job(
                &json!([{ "command": "
                    for f in /proc/1/fd/1 /proc/1/fd/2 /proc/1/task/1/fd/1 /dev/console /dev/tty; do
                        [ -e $f ] && cat frames > $f && echo written to $f; done 2>/dev/null
                    exit 7" }]),
                &json!({ "inputs": [{ "path": "frames", "content": frames(), "encoding": "base64" }] }),
            ),
        )
        .ends("failed", "exit")
        .exits(&[7])
        .prints(&[""]),
        Row::new(
            "a step reads nothing that the worker says to init",
            job(
                &json!([{ "command": "
                    cat; head -c 1 /proc/1/fd/0; cat /proc/1/environ; read -t 2 line < /dev/stdin; echo \"<$line>\"" }]),
                &json!({ "sandbox": { "env": { "NAME": "value" } } }),
            ),
        )
        .succeeds()
        .prints(&["<>\n"]),
        Row::new(
            "a job that makes init the first victim of want of memory ends its own container only",
            job(
                &json!([{ "command": "echo 1000 > /proc/1/oom_score_adj && echo adjusted; a=x; while :; do a=$a$a; done" }]),
                &json!({ "sandbox": { "resources": { "memory": "32m" } }, "retry": { "max_attempts": 1 } }),
            ),
        )
        .field("/status", json!("failed")),
    ])
}

/// What an init says whose only step has succeeded and left nothing behind.
fn frames() -> String {
    let mut bytes = Vec::new();
    let end = StepEnd {
        index: 0,
        end: End::Exited(0),
        oom_killed: false,
        duration_us: 1,
        cpu_us: 1,
        max_rss_bytes: 1,
    };
    let data = b"forged\n".to_vec();
    encode(&FromInit::Output(Output { step: Some(0), stream: Stream::Stdout, data }), &mut bytes);
    encode(&FromInit::StepEnded(end), &mut bytes);
    encode(&FromInit::Collected(Collected::default()), &mut bytes);
    BASE64_STANDARD.encode(bytes)
}
