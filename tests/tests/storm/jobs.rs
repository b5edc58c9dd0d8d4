//! The jobs of a storm, and when each is cancelled.

use std::time::Duration;

use fastrand::Rng;
use orcaops_tests::table::job;
use serde_json::{Value, json};

/// When a job is cancelled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// So long after it was submitted, wherever it is by then.
    Submitted(Duration),
    /// So long after it was seen running.
    Running(Duration),
    /// So long after it was seen ended: its container may be there still.
    Ended(Duration),
}

/// A job of the storm.
pub(crate) struct Plan {
    pub(crate) spec: Value,
    pub(crate) when: When,
}

/// A job of a random kind. `image` has a volume of its own; `silent` is one that can't be pulled, nor refused.
pub(crate) fn plan(random: &mut Rng, number: usize, image: &str, silent: &str) -> Plan {
    let (kind, commands, more) = match random.u32(0..100) {
        0..20 => ("short", json!([{ "command": "echo short" }]), json!({})),
        20..50 => {
            ("sleep", json!([{ "command": "echo asleep; sleep 20" }, { "command": "echo more" }]), json!({}))
        }
        50..60 => ("output", json!([{ "command": "yes | head -c 2000000; sleep 20" }]), json!({})),
        60..80 => (
            "artifacts",
            json!([{ "command": "mkdir /out; for n in 1 2 3 4 5 6; do truncate -s 2M /out/$n; done" }]),
            json!({ "artifacts": ["/out/*"] }),
        ),
        80..85 => {
            ("stubborn", json!([{ "command": "trap '' TERM; while :; do sleep 0.1; done" }]), json!({}))
        }
        85..90 => (
            "retry",
            json!([{ "command": "exit 1" }]),
            json!({ "retry": { "on": ["failure"], "max_attempts": 10, "backoff": 1 } }),
        ),
        90..95 => (
            "cleanup",
            json!([{ "command": "exit 3" }, { "command": "sleep 2", "when": "always" }]),
            json!({}),
        ),
        _ => ("pull", json!([{ "command": "true" }]), json!({})),
    };
    let mut spec = job(&commands, &more);
    spec["sandbox"]["image"] = json!(if kind == "pull" { silent } else { image });
    spec["job_id"] = json!(format!("storm-{number:03}-{kind}"));
    let moment = |random: &mut Rng, most_ms: u64| Duration::from_millis(random.u64(0..most_ms));
    let when = match (kind, random.u32(0..10)) {
        (_, 0..2) => When::Submitted(moment(random, 20_000)),
        // Only these end by themselves soon.
        ("short" | "artifacts" | "cleanup", 2..5) => When::Ended(moment(random, 200)),
        _ => When::Running(moment(random, 2_000)),
    };
    Plan { spec, when }
}
