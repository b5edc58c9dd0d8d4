//! Jobs that take all they can.

use orcaops_tests::table::{Row, job};
use serde_json::json;

pub(crate) fn rows() -> Vec<Row> {
    let bomb = "f() { f | f & }; f; sleep 600";
    let hogs = "
        for n in 1 2 3 4; do sh -c 'a=x; while :; do a=$a$a; done' & done
        wait %1; echo gone; exit 3";
    vec![
        Row::new(
            "a fork bomb ends with its step, and the next step runs",
            job(
                &json!([
                    { "command": bomb, "timeout_seconds": 3 },
                    { "command": "ls -d /proc/[0-9]* | wc -l", "when": "always" },
                ]),
                &json!({ "sandbox": { "resources": { "pids": 200 } } }),
            ),
        )
        .ends("timed_out", "timeout")
        .exits(&[124, 0])
        // Init, the shell, `ls` and `wc`.
        .check(|record| match record["steps"][1]["stdout"].as_str().map(str::trim) {
            Some("3" | "4") => Ok(()),
            other => Err(format!("processes left: {other:?}")),
        }),
        Row::new(
            "a fork bomb without a limit of its own meets the default",
            job(
                &json!([{ "command": "n=0; while [ $n -lt 2000 ]; do sleep 600 & n=$((n + 1)); done; sleep 600",
                          "timeout_seconds": 60 }]),
                &json!({ "retry": { "max_attempts": 1 } }),
            ),
        )
        .ends("failed", "exit")
        .complains(0, "can't fork"),
        Row::new(
            "processes that eat memory are killed, and their job says why",
            job(
                &json!([{ "command": hogs }]),
                &json!({ "sandbox": { "resources": { "memory": "48m" } } }),
            ),
        )
        .ends("failed", "oom")
        .says("killed a process for want of memory"),
        // Killed, or driven round until its timeout: what the file holds can't be taken from it.
        Row::new(
            "memory is not to be had by way of files in memory",
            job(
                &json!([{ "command": "head -c 60000000 /dev/zero > /dev/shm/hog; exit 4", "timeout_seconds": 4 }]),
                &json!({ "sandbox": { "resources": { "memory": "32m" } } }),
            ),
        )
        .check(|record| match record["end_cause"].as_str() {
            Some("oom" | "timeout") => Ok(()),
            other => Err(format!("end_cause: {other:?}")),
        }),
        Row::new(
            "files in memory have a limit of their own",
            job(&json!([{ "command": "head -c 100000000 /dev/zero > /dev/shm/hog; stat -c %s /dev/shm/hog" }]), &json!({})),
        )
        .succeeds()
        .prints(&["67108864\n"]),
        Row::new(
            "a flood of output ends at the step's timeout, and so do its bytes in the record",
            job(
                &json!([{ "command": "yes 'a flood' & yes 'another' >&2 & wait", "timeout_seconds": 5 }]),
                &json!({}),
            ),
        )
        .ends("timed_out", "timeout")
        .check(|record| {
            let step = &record["steps"][0];
            let kept = step["stdout"].as_str().map_or(0, str::len) + step["stderr"].as_str().map_or(0, str::len);
            let written = step["stdout_bytes"].as_u64().unwrap_or(0);
            if kept < 140 * 1024 && written > 1024 * 1024 { Ok(()) } else { Err(format!("{kept} of {written}")) }
        }),
        Row::new(
            "a flood of files is cut where artifacts end",
            job(
                &json!([{ "command": "mkdir /out; cd /out; seq 21000 | xargs touch" }]),
                &json!({ "artifacts": ["/out/*"] }),
            ),
        )
        .ends("failed", "artifacts")
        .says("more than 20000 files match")
        .check(|record| match record["artifacts"].as_array().map(Vec::len) {
            Some(20_000) => Ok(()),
            other => Err(format!("artifacts: {other:?}")),
        }),
        Row::new(
            "a file larger than artifacts may be is not sent at all",
            job(
                &json!([{ "command": "truncate -s 100G /tmp/huge" }]),
                &json!({ "artifacts": ["/tmp/huge"] }),
            ),
        )
        .ends("failed", "artifacts")
        .says("10737418240 bytes")
        .keeps(&[]),
    ]
}
