use clap::Parser;
use orcaops_common::domain::job::JobCommand;

use super::*;
use crate::args::{Cli, Command};

fn args(words: &[&str]) -> RunArgs {
    let cli = Cli::try_parse_from([&["orcaops", "run"], words].concat()).unwrap();
    match cli.command {
        Command::Run(args) => *args,
        other => panic!("{other:?}"),
    }
}

fn spec(words: &[&str]) -> Result<JobSpec, SpecError> {
    of(&args(words), |name| (name == "HERE").then(|| "from here".to_owned()))
}

fn from_file(text: &str, flags: &[&str]) -> Result<JobSpec, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job.yaml");
    std::fs::write(&path, text).unwrap();
    let words = [&["-s", path.to_str().unwrap()], flags].concat();
    let here = folder.path().display().to_string();
    spec(&words).map_err(|e| crate::failure::chain(&e).replace(&here, "."))
}

#[test]
fn one_word_is_for_the_shell_and_several_are_a_program() {
    let timeout = |command| JobCommand { timeout_seconds: 3600, ..command };
    assert_eq!(spec(&["alpine", "echo a b"]).unwrap().commands, [timeout(JobCommand::shell("echo a b"))]);
    let argv = spec(&["alpine", "--", "echo", "a b"]).unwrap();
    assert_eq!(argv.commands, [timeout(JobCommand::argv(["echo", "a b"]))]);
}

#[test]
fn every_job_gets_an_id_before_it_is_submitted() {
    assert!(spec(&["alpine", "true"]).unwrap().job_id.is_some());
    assert_eq!(spec(&["--id", "mine", "alpine", "true"]).unwrap().job_id.unwrap().as_str(), "mine");
}

#[test]
fn flags_say_what_the_spec_says() {
    let words = [
        "-e", "A=1=2", "-e", "HERE", "-a", "out/*", "-a", "log", "-t", "60", "-w", "/src", "--pool", "gpu",
        "--cpu", "0.5", "--memory", "512m", "--pids", "64", "alpine", "make",
    ];
    let spec = spec(&words).unwrap();
    assert_eq!(spec.sandbox.env["A"], "1=2");
    assert_eq!(spec.sandbox.env["HERE"], "from here");
    assert_eq!(spec.artifacts, ["out/*", "log"]);
    assert_eq!((spec.ttl_seconds, spec.commands[0].timeout_seconds), (60, 60));
    assert_eq!((spec.workdir.as_deref(), spec.pool.as_str()), (Some("/src"), "gpu"));
    let resources = spec.sandbox.resources;
    assert_eq!((resources.cpu, resources.memory, resources.pids), (Some(0.5), Some(512 << 20), Some(64)));
}

#[test]
fn flags_say_what_the_container_gets() {
    let words = [
        "--secret",
        "TOKEN=hidden",
        "--max-attempts",
        "2",
        "--retry-on",
        "failure,timeout",
        "-u",
        "nobody",
        "--network",
        "backend",
        "-p",
        "8082:80/udp",
        "-v",
        "/data:/mnt:ro",
        "-v",
        "/x:/y",
        "--cache",
        "k:/c",
        "--tmpfs",
        "/t:64m",
        "-l",
        "team=a=b",
        "--pull",
        "never",
        "--cleanup-policy",
        "never_remove",
        "--disk",
        "1g",
        "--gpus",
        "1",
        "--registry-auth",
        "main",
        "alpine",
        "make",
    ];
    let spec = spec(&words).unwrap();
    assert_eq!(
        (spec.sandbox.env["TOKEN"].as_str(), spec.secrets.as_slice()),
        ("hidden", &["TOKEN".to_owned()][..])
    );
    assert_eq!((spec.retry.max_attempts, spec.retry.on.len()), (2, 2));
    assert_eq!(spec.commands[0].user.as_deref(), Some("nobody"));
    assert_eq!(
        (spec.network.as_str(), spec.ports["80/udp"], spec.labels["team"].as_str()),
        ("backend", 8082, "a=b")
    );
    let volumes: Vec<_> =
        spec.volumes.iter().map(|v| (v.source.as_str(), v.target.as_str(), v.read_only)).collect();
    assert_eq!(volumes, [("/data", "/mnt", true), ("/x", "/y", false)]);
    assert_eq!((spec.cache[0].key.as_str(), spec.cache[0].path.as_str()), ("k", "/c"));
    assert_eq!((spec.tmpfs[0].path.as_str(), spec.tmpfs[0].size), ("/t", Some(64 << 20)));
    assert_eq!((spec.sandbox.resources.disk, spec.sandbox.resources.gpus), (Some(1 << 30), Some(1)));
    assert_eq!(spec.registry_auth.as_deref(), Some("main"));
}

#[test]
fn a_flag_of_the_wrong_form_says_which_it_must_have() {
    let message = |words: &[&str]| spec(&[words, &["alpine", "true"]].concat()).unwrap_err().to_string();
    assert_eq!(message(&["-v", "/data"]), "-v /data: write it as HOST:PATH or HOST:PATH:ro");
    assert_eq!(message(&["-v", "/data:/x:rx"]), "-v /data:/x:rx: write it as HOST:PATH or HOST:PATH:ro");
    assert_eq!(message(&["-p", "80"]), "-p 80: write it as HOST:CONTAINER, for example 8082:80");
    assert!(
        message(&["-p", "web:80"]).contains("--publish: is a string; give a whole number from 1 to 65535")
    );
    assert!(message(&["--pull", "missing"]).contains("--pull: is \"missing\"; it can be `always`"));
    assert!(message(&["--secret", "T=abc"]).contains("--secret: has a value of fewer than 4 bytes"));
}

#[test]
fn a_variable_that_is_not_set_here_is_an_error() {
    let error = spec(&["-e", "GONE", "alpine", "true"]).unwrap_err().to_string();
    assert_eq!(error, "-e GONE: GONE is not set here; set it, or write -e GONE=VALUE");
}

#[test]
fn what_is_wrong_with_flags_is_said_by_flag_all_at_once() {
    let error = spec(&["-t", "100000", "-a", "$(x)", "-w", "rel", "UP PER", "true"]).unwrap_err().to_string();
    for flag in ["IMAGE:", "--artifact:", "--timeout:", "--workdir:"] {
        assert_eq!(error.matches(&format!("\n  {flag}")).count(), 1, "{flag} in {error}");
    }
}

#[test]
fn a_file_may_be_yaml_or_json_and_flags_are_laid_over_it() {
    let yaml = "sandbox:\n  image: alpine\n  env: {A: one}\ncommands:\n  - command: make\nartifacts: [a]\n";
    let json = r#"{"sandbox": {"image": "alpine", "env": {"A": "one"}}, "commands": [{"command": "make"}], "artifacts": ["a"]}"#;
    for text in [yaml, json] {
        let spec = from_file(text, &["-e", "B=two", "-a", "b", "--id", "mine", "-t", "50"]).unwrap();
        assert_eq!((spec.sandbox.env["A"].as_str(), spec.sandbox.env["B"].as_str()), ("one", "two"));
        assert_eq!(spec.artifacts, ["a", "b"]);
        assert_eq!((spec.job_id.unwrap().as_str(), spec.ttl_seconds), ("mine", 50));
        assert_eq!(spec.commands[0].timeout_seconds, 300, "a file says its steps' timeouts itself");
    }
}

#[test]
fn a_files_errors_come_all_at_once_each_with_its_place() {
    let text = "sandbox:\n  image: ''\ncommands: []\npol: 1\n";
    let error = from_file(text, &[]).unwrap_err();
    insta::assert_snapshot!(error, @r#"
    the job spec in ./job.yaml is not valid
      ./job.yaml:2:3: /sandbox/image is empty; name the image to run in, such as "alpine:3"
      ./job.yaml:3:1: /commands is empty; give at least one command
      ./job.yaml:4:1: /pol is not a known field; did you mean `pool`?
"#);
    let json = "{\n\t\"sandbox\": {},\n\t\"commands\": [{\"command\": \"make\", \"timeout_seconds\": 0}]\n}";
    insta::assert_snapshot!(from_file(json, &[]).unwrap_err(), @r#"
    the job spec in ./job.yaml is not valid
      ./job.yaml:2:2: /sandbox/image is missing; name the image to run in, such as "alpine:3"
      ./job.yaml:3:35: /commands/0/timeout_seconds is 0; it must be from 1 to 86400
"#);
}

#[test]
fn what_a_flag_laid_over_a_file_is_named_as_the_flag() {
    let text = "sandbox: {image: alpine}\ncommands: [{command: make}]\nttl_seconds: 5\n";
    insta::assert_snapshot!(from_file(text, &["-w", "rel", "-e", "=x"]).unwrap_err(), @r#"
    the job spec in ./job.yaml is not valid
      --env has an empty name; name the variable
      --workdir is "rel"; give an absolute path such as "/workspace"
      ./job.yaml:3:1: /ttl_seconds is 5; it must be from 10 to 86400
"#);
    insta::assert_snapshot!(from_file(text, &["-t", "7"]).unwrap_err(), @r#"
    the job spec in ./job.yaml is not valid
      --timeout is 7; it must be from 10 to 86400
"#);
}

#[test]
fn every_example_is_a_valid_job() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/jobs");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let read = spec(&["-s", path.to_str().unwrap(), "--secret", "TOKEN=hidden"]);
        assert!(read.is_ok(), "{}: {}", path.display(), read.unwrap_err());
        count += 1;
    }
    assert!(count >= 4, "{count} examples");
}

#[test]
fn a_file_that_is_no_spec_at_all_is_no_panic() {
    assert!(from_file("just words", &["-e", "A=1", "-a", "x", "--cpu", "1"]).is_err());
    assert!(from_file("sandbox: 3\nartifacts: 4\n", &["-e", "A=1", "-a", "x", "--cpu", "1"]).is_err());
    let error = from_file("a: [", &[]).unwrap_err();
    insta::assert_snapshot!(error, @r#"
    the job spec in ./job.yaml cannot be read
      ./job.yaml:2:1: while parsing a node, did not find expected node content
"#);
    insta::assert_snapshot!(from_file("a: 1\nb: 2\na: 3\n", &[]).unwrap_err(), @r#"
    the job spec in ./job.yaml cannot be read
      ./job.yaml:3:1: /a is given twice, for the first time in line 1; keep one of them
"#);
    let gone = spec(&["-s", "/no/such.yaml"]).unwrap_err().to_string();
    assert_eq!(gone, "cannot read the job spec in /no/such.yaml");
}

#[test]
fn an_upload_becomes_the_working_folder() {
    let mut spec = spec(&["alpine", "true"]).unwrap();
    add_upload(&mut spec, "uploads/abc".to_owned());
    assert_eq!(spec.workdir.as_deref(), Some("/workspace"));
    assert_eq!((spec.inputs[0].path.as_str(), spec.inputs[0].object.as_deref()), (".", Some("uploads/abc")));
}
