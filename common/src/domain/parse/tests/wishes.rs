use serde_json::{Value, json};

use super::{accepted, errors, refused, refused_at, valid, with};
use crate::domain::job::JobSpec;

#[test]
fn mounts_have_places_of_their_own_below_the_root() {
    refused_at("/tmpfs", json!([{"path": "/"}]), "/tmpfs/0/path", "a folder below `/`");
    refused_at("/tmpfs", json!([{"path": "/proc/x"}]), "/tmpfs/0/path", "nothing may be mounted");
    refused_at("/tmpfs", json!([{"path": "/a/../b"}]), "/tmpfs/0/path", "contains `..`");
    refused_at("/tmpfs", json!([{"path": "/a", "size": "1k"}]), "/tmpfs/0/size", "from 4 KiB");
    refused_at("/volumes", json!([{"source": "a", "target": "/b"}]), "/volumes/0/source", "an absolute path");
    refused_at("/volumes", json!([{"source": "/a"}]), "/volumes/0/target", "is missing");
    refused_at("/cache", json!([{"key": "a/b", "path": "/c"}]), "/cache/0/key", "use letters, digits");
    let twice = json!([{"key": "a", "path": "/c"}, {"key": "b", "path": "/c/"}]);
    refused_at("/cache", twice, "/cache/1/path", "is the place of /cache/0/path too");
    assert_eq!(accepted("/tmpfs", json!([{"path": "/a", "size": "64m"}])).tmpfs[0].size, Some(64 << 20));
}

#[test]
fn networks_ports_and_labels_are_checked() {
    refused("/network", json!("host"), "the host's own network");
    refused("/network", json!("a b"), "use letters, digits");
    refused_at("/ports", json!({"http": 80}), "/ports/http", "write it as `80/tcp`");
    refused_at("/ports", json!({"80/tcp": 0}), "/ports/80~1tcp", "from 1 to 65535");
    assert_eq!(accepted("/ports", json!({"80": 8082})).ports.get("80/tcp"), Some(&8082));
    let twice = json!({"80/tcp": 8082, "81/tcp": 8082});
    refused_at("/ports", twice, "/ports/81~1tcp", "where `80/tcp` is published already");
    let apart = json!({"80/tcp": 8082, "80/udp": 8082});
    assert_eq!(accepted("/ports", apart).ports.len(), 2);
    refused_at("/labels", json!({"orcaops.x": "1"}), "/labels/orcaops.x", "keeps for itself");
    refused_at("/labels", json!({"a": 1}), "/labels/a", "write it as a string");
    refused("/registry_auth", json!(""), "use 1 to 128");
}

#[test]
fn words_from_a_closed_list_are_named_when_another_is_given() {
    refused("/cleanup_policy", json!("always_remov"), "did you mean `always_remove`?");
    refused("/pull_policy", json!("sometimes"), "it can be `always`, `if_not_present`, `never`");
    refused("/artifacts_when", json!("sucess"), "did you mean `success`?");
    refused_at("/commands/0", json!({"command": "a", "when": "later"}), "/commands/0/when", "it can be");
    refused("/entrypoint", json!(["sh"]), "is not used");
}

#[test]
fn steps_say_what_counts_as_success_and_who_runs_them() {
    let step = |more: Value| {
        let mut step = json!({"command": "a"});
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        step
    };
    let refused = |more: Value, at: &str, words: &str| {
        refused_at("/commands/0", step(more), &format!("/commands/0/{at}"), words);
    };
    refused(json!({"success_exit_codes": []}), "success_exit_codes", "is empty");
    refused(json!({"success_exit_codes": [256]}), "success_exit_codes/0", "from 0 to 255");
    refused(json!({"continue_on_error": "yes"}), "continue_on_error", "`true` or `false`");
    refused(json!({"name": "a\nb"}), "name", "one line");
    refused(json!({"user": "a:b:c"}), "user", "a name or a number");
    refused(json!({"user": ""}), "user", "a name or a number");
    refused(json!({"env": {"A": 1}}), "env/A", "write it as a string");
    refused_at(
        "/commands",
        json!([step(json!({"when": "on_failure"}))]),
        "/commands",
        "add one that runs before",
    );
    for user in ["nobody", "1000", "1000:1000", "www-data:adm"] {
        assert_eq!(
            accepted("/commands/0", step(json!({"user": user}))).commands[0].user.as_deref(),
            Some(user)
        );
    }
}

#[test]
fn a_jobs_timeout_is_that_of_steps_which_name_none() {
    let mut spec = valid();
    spec["timeout_seconds"] = json!(7);
    spec["commands"] = json!([{"command": "a"}, {"command": "b", "timeout_seconds": 9}]);
    let read = JobSpec::from_json(&spec).unwrap();
    assert_eq!(read.commands.iter().map(|c| c.timeout_seconds).collect::<Vec<_>>(), [7, 9]);
    refused("/timeout_seconds", json!(0), "from 1 to 86400");
}

#[test]
fn a_secret_is_a_variable_that_is_set_and_long_enough() {
    let spec = |env: Value| {
        let mut spec = with("/secrets", json!(["TOKEN"]));
        spec["sandbox"]["env"] = env;
        spec
    };
    let found = errors(&spec(json!({"TOKEN": "abc"})));
    assert!(found[0].0 == "/secrets/0" && found[0].1.contains("too short to be masked"), "{found:?}");
    let found = errors(&spec(json!({"OTHER": "abcd"})));
    assert!(found[0].0 == "/secrets/0" && found[0].1.contains("no `env` sets"), "{found:?}");
    assert!(JobSpec::from_json(&spec(json!({"TOKEN": "abcd"}))).is_ok());
}

#[test]
fn retries_are_bounded_and_say_after_what() {
    refused_at("/retry", json!({"max_attempts": 0}), "/retry/max_attempts", "from 1 to 20");
    refused_at("/retry", json!({"on": []}), "/retry/on", "is empty");
    refused_at("/retry", json!({"on": ["failure", "failure"]}), "/retry/on/1", "is there twice");
    refused_at("/retry", json!({"on": ["error"]}), "/retry/on/0", "it can be `infrastructure`");
    let falling = json!({"backoff": {"initial_seconds": 9, "max_seconds": 3}});
    refused_at("/retry", falling, "/retry/backoff", "raise that");
    let backoff = accepted("/retry", json!({"backoff": 5})).retry.backoff;
    assert_eq!((backoff.initial_seconds, backoff.max_seconds), (5, 60));
}

#[test]
fn a_pattern_may_choose_and_leave_out() {
    for good in ["out/{a,b}/*.txt", "**/*.xml", "[!a]*"] {
        accepted("/artifacts", json!([good]));
    }
    accepted("/artifacts", json!(["out/**", "!out/tmp/**"]));
    accepted("/artifacts", json!(["{out/a,tmp/b}/*.txt", "x,/y"]));
    refused_at("/artifacts", json!(["{/a,/b}/c"]), "/artifacts/0", "a pattern for each absolute path");
    refused_at("/artifacts", json!(["{a,/b}"]), "/artifacts/0", "a pattern for each absolute path");
    refused("/artifacts", json!(["!out/tmp/**"]), "only leaves files out");
    refused_at("/artifacts", json!(["a", "b!c"]), "/artifacts/1", "only as the first character");
    refused_at("/artifacts", json!(["a", "!"]), "/artifacts/1", "is blank");
}
