//! What goes into a container and what comes out.

use orcaops_tests::table::{Row, job};
use serde_json::json;

pub(crate) fn rows() -> Vec<Row> {
    [inputs(), artifacts()].into_iter().flatten().collect()
}

fn inputs() -> Vec<Row> {
    vec![
        Row::new(
            "inputs are there before the first step, which starts among them",
            job(
                &json!([{ "command": "pwd; cat text; od -An -tx1 sub/bytes; sub/run; stat -c %a text sub/run" }]),
                &json!({ "inputs": [
                    { "path": "text", "content": "äöü\n" },
                    { "path": "sub/bytes", "content": "AP+A", "encoding": "base64" },
                    { "path": "sub/run", "content": "#!/bin/sh\necho ran\n", "executable": true },
                ] }),
            ),
        )
        .succeeds()
        .prints(&["/workspace\näöü\n 00 ff 80\nran\n644\n755\n"]),
        Row::new(
            "inputs go where the job's folder is",
            job(
                &json!([{ "command": "pwd; cat text" }]),
                &json!({ "workdir": "/srv/app", "inputs": [{ "path": "text", "content": "there\n" }] }),
            ),
        )
        .prints(&["/srv/app\nthere\n"]),
        Row::new(
            "inputs that can't be placed fail the job and say why",
            job(
                &json!([{ "command": "true" }]),
                &json!({ "workdir": "/etc/passwd", "inputs": [{ "path": "text", "content": "" }] }),
            ),
        )
        .ends("failed", "artifacts")
        .exits(&[])
        .says("/etc/passwd"),
    ]
}

fn artifacts() -> Vec<Row> {
    let write = "mkdir -p /out/sub; echo a > /out/a.txt; echo b > /out/sub/b.txt; chmod 600 /out/a.txt";
    let fails = format!("{write}; exit 1");
    vec![
        Row::new(
            "files that match are kept, with hash and mode",
            job(&json!([{ "command": write }]), &json!({ "artifacts": ["/out/**"] })),
        )
        .succeeds()
        .keeps(&["a.txt", "sub/b.txt"])
        .field("/artifacts/0/mode", json!("0600"))
        .field("/artifacts/0/size_bytes", json!(2))
        .field(
            "/artifacts/0/sha256",
            json!("87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"),
        ),
        Row::new(
            "files are kept after a failure",
            job(&json!([{ "command": fails }]), &json!({ "artifacts": ["/out/*"] })),
        )
        .ends("failed", "exit")
        .keeps(&["a.txt"]),
        Row::new(
            "files are kept after a timeout",
            job(
                &json!([{ "command": format!("{write}; sleep 60"), "timeout_seconds": 5 }]),
                &json!({ "artifacts": ["/out/*"] }),
            ),
        )
        .ends("timed_out", "timeout")
        .keeps(&["a.txt"]),
        Row::new(
            "files that are for a success are not kept after a failure",
            job(
                &json!([{ "command": fails }]),
                &json!({ "artifacts": ["/out/*"], "artifacts_when": "success" }),
            ),
        )
        .ends("failed", "exit")
        .keeps(&[]),
        Row::new(
            "files that are for a failure are kept after one",
            job(
                &json!([{ "command": fails }]),
                &json!({ "artifacts": ["/out/*"], "artifacts_when": "failure" }),
            ),
        )
        .keeps(&["a.txt"]),
        Row::new(
            "files that are for a failure are not kept after a success",
            job(
                &json!([{ "command": write }]),
                &json!({ "artifacts": ["/out/*"], "artifacts_when": "failure" }),
            ),
        )
        .succeeds()
        .keeps(&[]),
        Row::new(
            "a pattern that matches nothing is noted, and fails nothing",
            job(&json!([{ "command": write }]), &json!({ "artifacts": ["/out/*.txt", "/out/*.xml"] })),
        )
        .succeeds()
        .keeps(&["a.txt"])
        .notes(&["artifact pattern \"/out/*.xml\" matches no file"]),
    ]
}
