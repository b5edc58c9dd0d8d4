//! How jobs end, and what the record says of it.

use orcaops_tests::table::{Row, job};
use serde_json::{Value, json};

fn step(command: Value) -> Value {
    job(&json!([command]), &json!({}))
}

pub(crate) fn rows() -> Vec<Row> {
    [unstartable(), signals(), times()].into_iter().flatten().collect()
}

fn unstartable() -> Vec<Row> {
    vec![
        Row::new("a program that does not exist is code 127", step(json!({ "argv": ["/no/such/program"] })))
            .ends("failed", "exit")
            .exits(&[127])
            .says("step 1 could not be started: the program /no/such/program does not exist"),
        Row::new("a name that is not in PATH is code 127", step(json!({ "argv": ["no-such-program"] })))
            .exits(&[127])
            .says("does not exist in PATH (/bin)"),
        Row::new("a file that is no program is code 126", step(json!({ "argv": ["/etc/passwd"] })))
            .ends("failed", "exit")
            .exits(&[126])
            .says("the program /etc/passwd may not be run"),
        Row::new(
            "a script whose interpreter is missing says so",
            job(
                &json!([{ "argv": ["./run"] }]),
                &json!({ "inputs": [{ "path": "run", "content": "#!/usr/bin/python9\n", "executable": true }] }),
            ),
        )
        .exits(&[127])
        .says("the interpreter that ./run needs does not exist"),
        Row::new("a folder that is missing is named", step(json!({ "command": "true", "cwd": "/no/such" })))
            .ends("failed", "exit")
            .exits(&[126])
            .says("the working folder /no/such does not exist"),
        Row::new(
            "an image that does not exist fails the job without a step",
            job(&json!([{ "command": "true" }]), &json!({ "sandbox": { "image": "orcaops-test:no-such-tag" }, "retry": { "max_attempts": 1 } })),
        )
        .ends("failed", "image")
        .exits(&[])
        .says("orcaops-test:no-such-tag"),
        Row::new(
            "an image without the shell that a command needs says so",
            job(&json!([{ "command": "rm /bin/sh" }, { "command": "true" }]), &json!({})),
        )
        .exits(&[0, 127])
        .says("step 2 could not be started: the program /bin/sh does not exist"),
    ]
}

fn signals() -> Vec<Row> {
    let greedy = "a=x; while true; do a=$a$a; done";
    let memory = json!({ "sandbox": { "resources": { "memory": "32m" } } });
    vec![
        Row::new("a step that a signal ends is code 128 + n", step(json!({ "command": "kill -SEGV $$" })))
            .ends("failed", "signal")
            .exits(&[139])
            .field("/steps/0/signal", json!(11))
            .says("step 1 was ended by signal 11"),
        Row::new("an exit code above 128 is an exit code", step(json!({ "command": "exit 137" })))
            .ends("failed", "exit")
            .exits(&[137])
            .field("/steps/0/signal", Value::Null),
        Row::new(
            "a step that the kernel killed for want of memory says so",
            job(&json!([{ "command": greedy }]), &memory),
        )
        .ends("failed", "oom")
        .says("killed a process for want of memory"),
        Row::new(
            "a step that survives the kill of its child is a success",
            job(&json!([{ "command": format!("sh -c '{greedy}'; echo survived") }]), &memory),
        )
        .succeeds()
        .prints(&["survived\n"]),
        Row::new(
            "the kill of one step is not held against another",
            job(&json!([{ "command": greedy, "continue_on_error": true }, { "command": "exit 3" }]), &memory),
        )
        .ends("failed", "exit")
        .says("step 2 exited with code 3"),
    ]
}

fn times() -> Vec<Row> {
    let polite = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    vec![
        Row::new("a step over its timeout is code 124", step(json!({ "command": "sleep 60", "timeout_seconds": 1 })))
            .ends("timed_out", "timeout")
            .exits(&[124])
            .says("step 1 ran over its timeout_seconds of 1"),
        Row::new(
            "a step that ends politely at its timeout has still run out of time",
            step(json!({ "command": polite, "timeout_seconds": 5 })),
        )
        .ends("timed_out", "timeout")
        .exits(&[124])
        .prints(&["up\nbye\n"]),
        Row::new(
            "the job's timeout is that of steps that name none",
            job(
                &json!([
                    { "command": "sleep 1.5", "timeout_seconds": 60 },
                    { "command": "sleep 60" },
                ]),
                &json!({ "timeout_seconds": 1 }),
            ),
        )
        .ends("timed_out", "timeout")
        .exits(&[0, 124])
        .says("step 2 ran over its timeout_seconds of 1"),
        Row::new(
            "a job over its ttl ends without further steps",
            job(
                &json!([{ "command": "echo up; sleep 60" }, { "command": "echo never", "when": "always" }]),
                // It begins before the container is made, which takes a while among so many others.
                &json!({ "ttl_seconds": 40 }),
            ),
        )
        .ends("timed_out", "ttl")
        .exits(&[124])
        .prints(&["up\n"])
        .says("ttl_seconds of 40"),
        Row::new(
            "a ttl bounds all attempts together",
            job(
                &json!([{ "command": "sleep 4; exit 1" }]),
                &json!({ "ttl_seconds": 10, "retry": { "max_attempts": 20, "on": ["failure"], "backoff": 0 } }),
            ),
        )
        .ends("timed_out", "ttl"),
    ]
}
