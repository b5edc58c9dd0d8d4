use serde_json::json;

use super::{accepted, errors, refused, refused_at, valid, with};
use crate::domain::job::JobSpec;
use crate::domain::parse::MAX_SPEC_BYTES;

#[test]
fn all_errors_come_at_once_each_with_its_field() {
    let spec = json!({
        "job_id": "-x",
        "sandbox": {"image": "", "env": {"A=B": 1, "a/b~c": null}, "resources": {"cpus": 1}},
        "commands": [{"command": " "}, "echo hi", {"argv": []}],
        "artifacts": ["../x"],
        "ttl_seconds": 5,
        "comands": [],
        "pool": "",
    });
    let error = JobSpec::from_json(&spec).unwrap_err();
    insta::assert_snapshot!(error.to_string().replace("; /", ";\n/"), @r#"
    13 fields are invalid: /comands is not a known field; did you mean `commands`?;
    /job_id must start with a letter or a digit;
    /sandbox/image is empty; name the image to run in, such as "alpine:3";
    /sandbox/env/A=B has `=` in its name; write the value as the member's value;
    /sandbox/env/A=B is a number; write it as a string: "1";
    /sandbox/env/a~1b~0c is null; give a string;
    /sandbox/resources/cpus is not a known field; did you mean `cpu`?;
    /commands/0/command is blank; give the shell command to run;
    /commands/1 is a string; write it as {"command":"echo hi"};
    /commands/2/argv is empty; give the program to run and its arguments;
    /artifacts/0 contains `..`; write the path without it;
    /ttl_seconds is 5; it must be from 10 to 86400;
    /pool is empty
    "#);
}

#[test]
fn a_message_names_the_field_in_a_sentence() {
    let error = JobSpec::from_json(&with("/commands/0", json!({"command": " "}))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1 field is invalid: /commands/0/command is blank; give the shell command to run"
    );
    let error = JobSpec::from_json(&json!([])).unwrap_err();
    assert_eq!(error.to_string(), "1 field is invalid: the job is an array; give an object");
}

#[test]
fn missing_fields_are_named_where_they_belong() {
    let found = errors(&json!({}));
    let pointers: Vec<_> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/sandbox", "/commands"]);
    refused_at("/sandbox", json!({}), "/sandbox/image", "is missing");
}

#[test]
fn unknown_fields_are_errors_with_a_guess() {
    refused("/ttl", json!(60), "did you mean `ttl_seconds`?");
    refused("/colour", json!(60), "the fields here are `job_id`, `sandbox`,");
    refused_at("/commands/0", json!({"command": "a", "timeout": 1}), "/commands/0/timeout", "did you mean");
    refused_at("/sandbox/resources", json!({"mem": 1}), "/sandbox/resources/mem", "did you mean `memory`?");
    refused_at("/sandbox", json!({"image": "alpine", "a/b~c": 1}), "/sandbox/a~1b~0c", "not a known field");
}

#[test]
fn ids_and_pools_are_names() {
    refused("/job_id", json!("a/b"), "contains '/'; use letters");
    refused("/job_id", json!(""), "is empty");
    refused("/job_id", json!("x".repeat(129)), "at most 128");
    refused("/job_id", json!(7), "is a number; write it as a string: \"7\"");
    refused("/pool", json!(null), "is null; give a string");
    refused("/pool", json!("ä"), "must start with a letter or a digit");
    assert_eq!(accepted("/job_id", json!(null)).job_id, None);
    assert_eq!(accepted("/job_id", json!("build-42")).job_id.unwrap().as_str(), "build-42");
}

#[test]
fn images_are_references() {
    for bad in ["", "a", "-a", "alpine 3", "alpine;3", "Ä", ":3", "alpine\n", &"x".repeat(257)] {
        assert_eq!(errors(&with("/sandbox/image", json!(bad))).len(), 1, "{bad:?}");
    }
    for good in ["a1", "alpine:3", "ghcr.io/x/y@sha256:0123", "localhost:5000/a_b", &"x".repeat(256)] {
        accepted("/sandbox/image", json!(good));
    }
}

#[test]
fn environment_has_names_and_strings() {
    refused("/sandbox/env", json!(["A=1"]), "is an array; give an object");
    refused_at("/sandbox/env", json!({"A": 1}), "/sandbox/env/A", "write it as a string: \"1\"");
    refused_at("/sandbox/env", json!({"A": true}), "/sandbox/env/A", "write it as a string: \"true\"");
    refused_at("/sandbox/env", json!({"A": "x\0"}), "/sandbox/env/A", "NUL");
    refused_at("/sandbox/env", json!({"": "x"}), "/sandbox/env/", "empty name");
    refused_at("/sandbox/env", json!({"A=B": "x"}), "/sandbox/env/A=B", "`=`");
    let spec = accepted("/sandbox/env", json!({"A": "", "b.c": "x=y"}));
    assert_eq!(spec.sandbox.env.len(), 2);
}

#[test]
fn resources_come_as_numbers_or_strings() {
    let cpu = |v| accepted("/sandbox/resources", json!({"cpu": v})).sandbox.resources.cpu.unwrap();
    assert_eq!((cpu(json!(1)), cpu(json!(0.5)), cpu(json!("1.5"))), (1.0, 0.5, 1.5));
    for bad in
        [json!(0), json!(-1), json!(0.001), json!(1025), json!("x"), json!("NaN"), json!("1e2"), json!("")]
    {
        refused_at("/sandbox/resources", json!({"cpu": bad}), "/sandbox/resources/cpu", "is ");
    }
    let memory = |v| accepted("/sandbox/resources", json!({"memory": v})).sandbox.resources.memory.unwrap();
    for (text, bytes) in [
        (json!(6_291_456), 6 << 20),
        (json!("536870912"), 512 << 20),
        (json!("512m"), 512 << 20),
        (json!("512Mi"), 512 << 20),
        (json!("512MiB"), 512 << 20),
        (json!("2g"), 2 << 30),
        (json!("1.5g"), 3 << 29),
        (json!("8000k"), 8000 << 10),
    ] {
        assert_eq!(memory(text.clone()), bytes, "{text}");
    }
    for bad in [
        json!(1.5),
        json!(-1),
        json!(6_291_455),
        json!("5m"),
        json!("m"),
        json!("1.5"),
        json!("1..5g"),
        json!("1x"),
        json!("99999999999999999999g"),
        json!("2000t"),
        json!(true),
    ] {
        refused_at("/sandbox/resources", json!({"memory": bad}), "/sandbox/resources/memory", "is ");
    }
    let pids = |v| accepted("/sandbox/resources", json!({"pids": v})).sandbox.resources.pids.unwrap();
    assert_eq!((pids(json!(1)), pids(json!("64"))), (1, 64));
    for bad in [json!(0), json!(4_194_305), json!(1.0), json!("-1"), json!("+1"), json!("a"), json!([])] {
        refused_at("/sandbox/resources", json!({"pids": bad}), "/sandbox/resources/pids", "is ");
    }
}

#[test]
fn a_step_has_one_of_command_and_argv() {
    refused("/commands", json!([]), "give at least one command");
    refused("/commands", json!(vec![json!({"command": "a"}); 1001]), "at most 1000");
    refused("/commands/0", json!("echo \"hi\""), r#"write it as {"command":"echo \"hi\""}"#);
    refused("/commands/0", json!(["echo", "hi"]), r#"write it as {"argv":["echo","hi"]}"#);
    refused("/commands/0", json!("x".repeat(500)), r#"write it as {"command": …}"#);
    refused("/commands/0", json!({}), "has neither");
    refused("/commands/0", json!({"command": null}), "has neither");
    refused("/commands/0", json!({"command": "a", "argv": ["a"]}), "has both");
    refused("/commands/0", json!({"argv": ["a"], "image_command": true}), "beside `image_command`");
    refused("/commands/0", json!({"image_command": false}), "has neither");
    refused("/commands/0/image_command", json!(1), "is a number; give `true` or `false`");
    refused("/commands/0/command", json!("\n\t "), "is blank");
    refused("/commands/0/command", json!("a\0"), "NUL");
    for (argv, at) in [
        (json!([]), ""),
        (json!("echo hi"), ""),
        (json!([""]), "/0"),
        (json!([" ", "a"]), "/0"),
        (json!(["a", 1]), "/1"),
        (json!(["a", "b\0"]), "/1"),
    ] {
        refused_at("/commands/0", json!({"argv": argv}), &format!("/commands/0/argv{at}"), "");
    }
    accepted("/commands/0", json!({"argv": ["a", "", " "], "command": null, "cwd": null}));
    refused("/commands/0/cwd", json!(""), "is empty");
}

#[test]
fn times_are_whole_seconds_within_their_range() {
    for (pointer, least, most) in [("/ttl_seconds", 10, 86_400), ("/commands/0/timeout_seconds", 1, 86_400)] {
        accepted(pointer, json!(least));
        accepted(pointer, json!(most));
        refused(pointer, json!(least - 1), "must be from");
        refused(pointer, json!(most + 1), "must be from");
        refused(pointer, json!(-5), "must be from");
        refused(pointer, json!(u64::MAX), "must be from");
        refused(pointer, json!(60.0), "is 60.0; give a whole number");
        refused(pointer, json!("60"), "is a string; give a whole number");
        refused(pointer, json!(true), "is a boolean; give a whole number");
        refused(pointer, json!(null), "is null; give a whole number");
    }
}

#[test]
fn artifact_patterns_are_globs_without_shell_characters() {
    for bad in
        ["", " ", "a;b", "a|b", "a&b", "$a", "`a`", "(a", "a)", "{a", "../a", "a/..", "a[", "[b-a]", "a\0"]
    {
        refused_at("/artifacts", json!([bad]), "/artifacts/0", "");
    }
    refused("/artifacts", json!("out/*.txt"), "is a string; give an array");
    refused("/artifacts", json!(null), "is null; give an array");
    for good in ["/out/*.txt", "b", "**/*.xml", "a b", "[ab]?", "..a", "ü", "a\\*"] {
        accepted("/artifacts", json!([good]));
    }
}

#[test]
fn inputs_have_one_source_and_a_place_of_their_own() {
    let object = format!("uploads/{}", "0a".repeat(32));
    for (input, at, words) in [
        (json!({"path": "a"}), "", "has neither"),
        (json!({"path": "a", "content": "x", "object": object}), "", "has both"),
        (json!({"content": "x"}), "/path", "is missing"),
        (json!({"path": "/a", "content": "x"}), "/path", "absolute"),
        (json!({"path": "a/../b", "content": "x"}), "/path", "`..`"),
        (json!({"path": ".", "content": "x"}), "/path", "`.`"),
        (json!({"path": "a", "content": 1}), "/content", "write it as a string"),
        (json!({"path": "a", "content": "x", "encoding": "hex"}), "/encoding", "\"text\" or \"base64\""),
        (json!({"path": "a", "content": "é", "encoding": "base64"}), "/content", "is not base64"),
        (json!({"path": "a", "content": "eA", "encoding": "base64"}), "/content", "padded"),
        (json!({"path": "a", "content": "x", "executable": 1}), "/executable", "`true` or `false`"),
        (json!({"path": "a", "object": "uploads/x"}), "/object", "64 hex digits"),
        (json!({"path": "a", "object": object.to_uppercase()}), "/object", "64 hex digits"),
    ] {
        refused_at("/inputs", json!([input]), &format!("/inputs/0{at}"), words);
    }
    let file = |path: &str| json!({"path": path, "content": ""});
    refused_at("/inputs", json!([file("a"), file("b"), file("a")]), "/inputs/2/path", "path of /inputs/0");
    refused_at("/inputs", json!([file("a/b/c"), file("a")]), "/inputs/0/path", "lies below /inputs/1");
    refused("/inputs", json!(vec![file("a"); 1001]), "at most 1000");
    let tar = |path: &str| json!({"path": path, "object": object});
    accepted("/inputs", json!([tar("."), tar("a"), file("a/b"), file("c")]));
    accepted("/inputs", json!([{"path": "a", "content": "eA==", "encoding": "base64", "object": null}]));
}

#[test]
fn the_working_folder_is_absolute() {
    refused("/workdir", json!("src"), "give an absolute path");
    refused("/workdir", json!("/a/../b"), "`..`");
    refused("/workdir", json!("/a\0"), "NUL");
    refused("/workdir", json!(""), "give an absolute path");
    assert_eq!(accepted("/workdir", json!("/src")).workdir.as_deref(), Some("/src"));
    assert_eq!(accepted("/workdir", json!(null)).workdir, None);
}

#[test]
fn a_specification_is_bounded() {
    let spec = |size: usize| with("/commands/0/command", json!("x".repeat(size)));
    let frame = spec(0).to_string().len();
    assert!(JobSpec::from_json(&spec(MAX_SPEC_BYTES - frame)).is_ok());
    let found = errors(&spec(MAX_SPEC_BYTES - frame + 1));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "");
    assert!(found[0].1.contains("has 524289 bytes"), "{found:?}");
}

#[test]
fn errors_without_number_are_cut_off_and_counted() {
    let found = errors(&with("/artifacts", json!(vec![0; 1000])));
    assert_eq!(found.len(), 101);
    assert!(found[100].1.contains("900 more errors"), "{:?}", found[100]);
}

#[test]
fn no_kind_of_value_anywhere_is_a_panic_or_a_silent_change() {
    let places = [
        "/job_id",
        "/sandbox",
        "/sandbox/image",
        "/sandbox/env",
        "/sandbox/resources",
        "/commands",
        "/commands/0",
        "/commands/0/command",
        "/commands/0/argv",
        "/commands/0/cwd",
        "/commands/0/timeout_seconds",
        "/artifacts",
        "/ttl_seconds",
        "/inputs",
        "/workdir",
        "/pool",
    ];
    let values = [
        json!(null),
        json!(true),
        json!(1),
        json!(-1.5),
        json!(""),
        json!("a1"),
        json!([]),
        json!([[]]),
        json!({}),
        json!({"": {}}),
    ];
    for place in places {
        for value in &values {
            let spec = with(place, value.clone());
            if let Ok(read) = JobSpec::from_json(&spec) {
                // What is accepted in the types' own form means what serde takes it for.
                assert_eq!(serde_json::from_value::<JobSpec>(spec).unwrap(), read);
            }
        }
    }
    assert!(errors(&valid()).is_empty());
}
