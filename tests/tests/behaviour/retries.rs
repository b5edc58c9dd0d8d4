//! Further attempts of a job.

use orcaops_tests::table::{Row, job};
use serde_json::{Value, json};

/// Fails in the first two attempts, in the way that `how` says.
fn third_time_lucky(how: &str) -> Value {
    json!([{ "command": format!("touch /mark-$ORCAOPS_ATTEMPT; ls /mark-*; [ $ORCAOPS_ATTEMPT = 3 ] || {how}") }])
}

fn retry(on: &[&str], max_attempts: u32) -> Value {
    json!({ "retry": { "on": on, "max_attempts": max_attempts, "backoff": 0 } })
}

pub(crate) fn rows() -> Vec<Row> {
    let short = |how: &str| {
        let mut commands = third_time_lucky(how);
        commands[0]["timeout_seconds"] = json!(1);
        commands
    };
    vec![
        Row::new(
            "a failure is tried again where the spec says so, in a fresh container",
            job(&third_time_lucky("exit 7"), &retry(&["failure"], 5)),
        )
        .succeeds()
        .takes(3)
        .prints(&["/mark-3\n"]),
        Row::new(
            "the last attempt's failure is the job's",
            job(&third_time_lucky("exit 7"), &retry(&["failure"], 2)),
        )
        .ends("failed", "exit")
        .takes(2)
        .prints(&["/mark-2\n"])
        .says("step 1 exited with code 7"),
        Row::new("a failure is not tried again by default", job(&third_time_lucky("exit 7"), &json!({})))
            .ends("failed", "exit")
            .takes(1),
        Row::new("one attempt is one", job(&third_time_lucky("exit 7"), &retry(&["failure"], 1)))
            .ends("failed", "exit")
            .takes(1),
        Row::new(
            "a timeout is tried again where the spec says so",
            job(&short("sleep 60"), &retry(&["timeout"], 3)),
        )
        .succeeds()
        .takes(3),
        Row::new(
            "a timeout is no failure that is to be tried again",
            job(&short("sleep 60"), &retry(&["failure"], 3)),
        )
        .ends("timed_out", "timeout")
        .takes(1),
        Row::new(
            "artifacts are those of the last attempt",
            job(
                &json!([{ "command":
                    "echo $ORCAOPS_ATTEMPT > /tmp/of-$ORCAOPS_ATTEMPT.txt; [ $ORCAOPS_ATTEMPT = 2 ]" }]),
                &json!({
                    "artifacts": ["/tmp/of-*.txt"],
                    "retry": { "on": ["failure"], "max_attempts": 3, "backoff": 0 },
                }),
            ),
        )
        .succeeds()
        .takes(2)
        .keeps(&["of-2.txt"]),
        Row::new(
            "steps for a failure run in every attempt that fails",
            job(
                &json!([
                    { "command": "[ $ORCAOPS_ATTEMPT = 2 ]" },
                    { "command": "echo cleaned", "when": "on_failure" },
                ]),
                &retry(&["failure"], 2),
            ),
        )
        .succeeds()
        .takes(2)
        .ran(&[0]),
    ]
}
