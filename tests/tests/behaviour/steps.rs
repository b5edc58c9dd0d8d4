//! How steps run: what runs them, where, as whom, with what around them, and which of them.

use orcaops_tests::table::{Row, job};
use serde_json::{Value, json};

fn steps(commands: Value) -> Value {
    job(&commands, &json!({}))
}

pub(crate) fn rows() -> Vec<Row> {
    [programs(), surroundings(), order()].into_iter().flatten().collect()
}

fn programs() -> Vec<Row> {
    let words = json!([{ "argv": ["echo", "$HOME", "two words", "*", ""] }]);
    let shell = json!([{ "command": "echo $((1 + 1)) | sed 's/2/two/' && echo \"$0\"" }]);
    vec![
        Row::new("argv is run without a shell", steps(words)).succeeds().prints(&["$HOME two words * \n"]),
        Row::new("command is run by a shell", steps(shell)).succeeds().prints(&["two\n/bin/sh\n"]),
        Row::new("standard input is empty", steps(json!([{ "argv": ["wc", "-c"] }])))
            .succeeds()
            .prints(&["0\n"]),
        Row::new(
            "both streams are kept apart",
            steps(json!([{ "command": "echo to stdout; echo to stderr >&2" }])),
        )
        .prints(&["to stdout\n"])
        .field("/steps/0/stderr", json!("to stderr\n")),
        Row::new(
            "bytes that are not UTF-8 are replaced in the record and counted as they were",
            steps(json!([{ "command": r"printf 'a\377b'" }])),
        )
        .prints(&["a\u{fffd}b"])
        .field("/steps/0/stdout_bytes", json!(3)),
        Row::new(
            "long output is kept by its head and its tail",
            steps(json!([{ "command": "echo first; yes | head -c 200000; echo last" }])),
        )
        .succeeds()
        .field("/steps/0/stdout_bytes", json!(200_011))
        .check(|record| {
            let text = record["steps"][0]["stdout"].as_str().unwrap_or_default();
            let omitted = 200_011 - 2 * 32 * 1024;
            let mark = format!("\n[... {omitted} bytes are in the log only ...]\n");
            let fits = text.starts_with("first\ny\n") && text.ends_with("y\nlast\n") && text.contains(&mark);
            if fits && text.len() == 2 * 32 * 1024 + mark.len() { Ok(()) } else { Err(text.to_owned()) }
        }),
    ]
}

fn surroundings() -> Vec<Row> {
    let users = "echo build:x:1234:1235::/home/build:/bin/sh >> /etc/passwd
        echo staff:x:50:build > /etc/group";
    let whoami = "echo $(id -u):$(id -g) $(id -G) $HOME";
    vec![
        Row::new("the first folder is the root", steps(json!([{ "argv": ["pwd"] }]))).prints(&["/\n"]),
        Row::new(
            "a step's folder starts at the job's, which is made",
            job(
                &json!([
                    { "command": "pwd; mkdir -p deep/er" },
                    { "command": "pwd", "cwd": "deep/er" },
                    { "command": "pwd", "cwd": "/tmp" },
                ]),
                &json!({ "workdir": "/made/for/it" }),
            ),
        )
        .succeeds()
        .prints(&["/made/for/it\n", "/made/for/it/deep/er\n", "/tmp\n"]),
        Row::new(
            "a step's environment goes over the job's, and that over the image's",
            job(
                &json!([
                    { "command": "echo $A $B $PATH", "env": { "B": "of the step" } },
                    { "command": "echo $A $B $PATH" },
                ]),
                &json!({ "sandbox": { "env": { "A": "a", "B": "of the job", "PATH": "/bin:/own" } } }),
            ),
        )
        .prints(&["a of the step /bin:/own\n", "a of the job /bin:/own\n"]),
        Row::new(
            "a step knows its job and its attempt",
            job(
                &json!([{ "command": "echo $ORCAOPS_JOB_ID $ORCAOPS_ATTEMPT" }]),
                &json!({ "job_id": "knows-itself" }),
            ),
        )
        .prints(&["knows-itself 1\n"]),
        Row::new(
            "a step runs as the user that it names",
            steps(json!([
                { "command": users },
                { "command": whoami },
                { "command": whoami, "user": "build" },
                { "command": whoami, "user": "1234" },
                { "command": whoami, "user": "1000" },
                { "command": whoami, "user": "1000:1001" },
            ])),
        )
        .succeeds()
        .check(|record| {
            let outputs: Vec<_> = (1..6).map(|n| record["steps"][n]["stdout"].clone()).collect();
            let expected = [
                "0:0 0 /root\n",
                "1234:1235 1235 50 /home/build\n",
                "1234:1235 1235 50 /home/build\n",
                "1000:0 0 /root\n",
                "1000:1001 1001 /root\n",
            ];
            if outputs == expected { Ok(()) } else { Err(format!("{outputs:?}")) }
        }),
        Row::new(
            "a user that the image does not know is an error that names it",
            steps(json!([{ "command": "true", "user": "nobody-at-all" }])),
        )
        .ends("failed", "exit")
        .exits(&[126])
        .says("step 1 could not be started")
        .complains(0, "no user \"nobody-at-all\""),
        Row::new(
            "limits of the job hold for all its steps",
            job(
                &json!([{ "command": "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; \
                    cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null" }]),
                &json!({ "sandbox": { "resources": { "pids": 77, "memory": "64m" } } }),
            ),
        )
        .prints(&["77\n67108864\n"]),
    ]
}

fn order() -> Vec<Row> {
    vec![
        Row::new(
            "the first failure ends the job",
            steps(json!([{ "command": "exit 4" }, { "command": "echo never" }])),
        )
        .ends("failed", "exit")
        .exits(&[4])
        .says("step 1 exited with code 4"),
        Row::new("a name is in the error", steps(json!([{ "command": "exit 3", "name": "compile" }])))
            .says("step 1 (compile) exited with code 3")
            .field("/steps/0/name", json!("compile")),
        Row::new(
            "an exit code that the step names is a success, and 0 only where it is named",
            steps(json!([
                { "command": "exit 3", "success_exit_codes": [0, 3] },
                { "command": "exit 0", "success_exit_codes": [7] },
            ])),
        )
        .ends("failed", "exit")
        .exits(&[3, 0])
        .field("/steps/0/success", json!(true))
        .field("/steps/1/success", json!(false))
        .says("step 2 exited with code 0"),
        Row::new(
            "a job goes on after a failure that may happen, and notes it",
            steps(json!([
                { "command": "exit 9", "name": "lint", "continue_on_error": true },
                { "command": "sleep 60", "timeout_seconds": 1, "continue_on_error": true },
                { "command": "echo on" },
                { "command": "echo no", "when": "on_failure" },
            ])),
        )
        .succeeds()
        .ran(&[0, 1, 2])
        .exits(&[9, 124, 0])
        .notes(&["step 1 (lint) exited with code 9; the job went on", "step 2 ran over its timeout_seconds of 1"]),
        Row::new(
            "after a failure run the steps that are for it, in order, and the result stays",
            steps(json!([
                { "command": "echo one" },
                { "command": "echo too early", "when": "on_failure" },
                { "command": "exit 5" },
                { "command": "echo never" },
                { "command": "echo repair", "when": "on_failure" },
                { "command": "echo clean", "when": "always" },
            ])),
        )
        .ends("failed", "exit")
        .says("step 3 exited with code 5")
        .ran(&[0, 2, 4, 5])
        .prints(&["one\n", "", "repair\n", "clean\n"])
        .notes(&[]),
        Row::new(
            "a cleanup step that fails is a note and stops no other",
            steps(json!([
                { "command": "exit 5" },
                { "command": "exit 6", "when": "always", "name": "tidy" },
                { "command": "echo last", "when": "on_failure" },
            ])),
        )
        .ends("failed", "exit")
        .says("step 1 exited with code 5")
        .exits(&[5, 6, 0])
        .notes(&["step 2 (tidy) exited with code 6, after the job had failed already"]),
        Row::new(
            "a cleanup step that fails after a success fails the job",
            steps(json!([{ "command": "true" }, { "command": "exit 6", "when": "always" }])),
        )
        .ends("failed", "exit")
        .says("step 2 exited with code 6"),
        Row::new(
            "cleanup steps run after a timeout too",
            steps(json!([
                { "command": "sleep 60", "timeout_seconds": 1 },
                { "command": "echo cleaned", "when": "always" },
            ])),
        )
        .ends("timed_out", "timeout")
        .exits(&[124, 0])
        .prints(&["", "cleaned\n"]),
        Row::new(
            "what a step leaves running lives on until the last step, and the file system is one",
            steps(json!([
                { "command": "(while [ ! -e /tmp/ask ]; do sleep 0.05; done; echo yes > /tmp/answer) >/dev/null 2>&1 &" },
                { "command": "touch /tmp/ask; while [ ! -s /tmp/answer ]; do sleep 0.05; done; cat /tmp/answer" },
            ])),
        )
        .succeeds()
        .prints(&["", "yes\n"]),
    ]
}
