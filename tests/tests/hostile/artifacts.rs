//! Jobs that want to get out by what they leave behind.

use orcaops_tests::table::{Row, job};
use serde_json::json;

pub(crate) fn rows() -> Vec<Row> {
    let long = "$(printf '%0255d' 0)";
    vec![
        Row::new(
            "links are not followed, and what is no file is not read",
            job(
                &json!([{ "command": "mkdir /out; cd /out; echo own > file
                    ln -s /etc/passwd link; ln -s /proc/1/environ proc; ln -s ../../../../etc/passwd up
                    ln -s /etc folder; ln -s loop loop; mkfifo fifo; ln file hard" }]),
                &json!({ "artifacts": ["/out/**"] }),
            ),
        )
        .succeeds()
        .keeps(&["file", "hard"])
        .check(|record| {
            let notes = record["notes"].to_string();
            let missing: Vec<_> = ["link", "proc", "up", "folder", "loop", "fifo"]
                .into_iter()
                .filter(|name| !notes.contains(&format!("/out/{name}: it is ")))
                .collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("not noted: {missing:?}")) }
        }),
        Row::new(
            "a file that takes the place of a link, and back, gives only files of the container",
            job(
                &json!([{ "command": "mkdir /out; cd /out; echo own > file
                    (while :; do ln -sfn /proc/1/environ file; rm file; echo own > file; done) >/dev/null 2>&1 &
                    sleep 0.5" }]),
                &json!({ "artifacts": ["/out/*"] }),
            ),
        )
        .check(|record| match record["artifacts"][0]["sha256"].as_str() {
            // `own` and a line feed, or empty, or it was not there.
            Some(
                "7e6518373b1a8cf5eed9717076284744ba44ace422c7877442aebcceecc42a23"
                | "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            )
            | None => Ok(()),
            Some(other) => Err(format!("something else came: {other}")),
        }),
        Row::new(
            "names that are OrcaOps' own in a job's folder are given another place",
            job(
                &json!([{ "command": "mkdir -p /out/logs/deep /out/run.json; cd /out; echo '{}' > steps.jsonl
                    echo forged > logs/log.jsonl; echo forged > logs/deep/x; echo forged > run.json/x" }]),
                &json!({ "artifacts": ["/out/**"] }),
            ),
        )
        .succeeds()
        .check(|record| {
            let artifacts: Vec<_> = record["artifacts"].as_array().into_iter().flatten().collect();
            let clash = artifacts.iter().filter_map(|a| a["path"].as_str()).find(|path| {
                let first = path.split('/').next().unwrap_or_default();
                ["run.json", "steps.jsonl", "logs"].contains(&first)
            });
            match (clash, artifacts.len()) {
                (None, 4) => Ok(()),
                other => Err(format!("{other:?} of {artifacts:?}")),
            }
        }),
        Row::new(
            "odd names stay what they are",
            job(
                &json!([{ "command": "mkdir -p '/out/..  /...'; cd /out
                    echo a > \"$(printf 'two\\nlines')\"; echo b > '..  /.../x'; echo c > ' '; echo d > '*'; echo e > '%2e%2e%2f'
                    echo f > '\\'; echo g > '<script>'; echo h > \"$(printf '\\033[31mred')\"" }]),
                &json!({ "artifacts": ["/out/**"] }),
            ),
        )
        .succeeds()
        .check(|record| {
            let mut paths: Vec<_> =
                record["artifacts"].as_array().into_iter().flatten().filter_map(|a| a["path"].as_str()).collect();
            paths.sort_unstable();
            let expected = [" ", "%2e%2e%2f", "*", "..  /.../x", "<script>", "\\", "two\nlines", "\u{1b}[31mred"];
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            if paths == expected { Ok(()) } else { Err(format!("{paths:?}")) }
        }),
        Row::new(
            "a name that is not UTF-8 is left out and noted",
            job(
                &json!([{ "command": "mkdir /out; echo a > /out/a; echo b > \"/out/$(printf 'b\\377')\"" }]),
                &json!({ "artifacts": ["/out/*"] }),
            ),
        )
        .succeeds()
        .keeps(&["a"])
        .notes(&["its name is not UTF-8"]),
        Row::new(
            "names as long as the kernel allows, deeper than a path may be",
            job(
                &json!([{ "command": format!("mkdir /out; cd /out; echo a > {long}
                    n=0; while [ $n -lt 30 ]; do mkdir {long} 2>/dev/null || mkdir d; cd {long} 2>/dev/null || cd d; n=$((n + 1)); done
                    echo deep > file; true") }]),
                &json!({ "artifacts": ["/out/**"] }),
            ),
        )
        .check(|record| match record["status"].as_str() {
            Some("success" | "failed") => Ok(()),
            other => Err(format!("{other:?}")),
        }),
        Row::new(
            "a folder as deep as can be is walked and ends",
            job(
                &json!([{ "command": "mkdir /out; cd /out; n=0; while [ $n -lt 1500 ]; do mkdir d; cd d; n=$((n + 1)); done; echo x > f" }]),
                &json!({ "artifacts": ["/out/**/f"] }),
            ),
        )
        .succeeds()
        .check(|record| match record["artifacts"][0]["path"].as_str() {
            Some(path) if path.len() == 2 * 1500 + 1 => Ok(()),
            other => Err(format!("{other:?}")),
        }),
    ]
}
