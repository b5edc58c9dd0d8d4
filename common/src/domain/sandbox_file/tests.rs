use std::path::Path;

use super::*;
use crate::domain::job::{JobCommand, JobSpec};
use crate::domain::placement::{CleanupPolicy, Volume};
use crate::yaml::Document;

fn file(text: &str) -> SandboxFile {
    SandboxFile::read(&Document::parse(text).unwrap(), Path::new("/srv/app"))
}

/// What is wrong, a line each.
fn problems(text: &str) -> String {
    let line = |problem: &Problem| {
        let place = problem.position.map_or_else(String::new, |p| format!("{}:{}", p.line, p.column));
        let name = problem.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
        format!("{place} {}{name} {}", problem.pointer, problem.message)
    };
    file(text).problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_entry_says_all_that_older_versions_knew() {
    let text = "\
sandboxes:
  - name: web
    image: nginx:alpine
    command: [nginx, -g, daemon off;]
    timeout: 120
    cleanup_policy: keep_on_completion
    ports: {80/tcp: 8082, 53/udp: 5353}
    volumes:
      ./html: {bind: /usr/share/nginx/html, mode: ro}
      /srv/logs: {bind: /var/log/nginx}
    environment:
      - MODE=test=1
      - EMPTY=
    success_exit_codes: [0, 143]
";
    let file = file(text);
    assert_eq!(file.problems, []);
    let volume = |source: &str, target: &str, read_only| Volume {
        source: source.to_owned(),
        target: target.to_owned(),
        read_only,
    };
    let expected = Sandbox {
        name: "web".to_owned(),
        image: "nginx:alpine".to_owned(),
        command: Some(["nginx", "-g", "daemon off;"].map(str::to_owned).to_vec()),
        timeout: 120,
        cleanup_policy: CleanupPolicy::KeepOnCompletion,
        ports: [("53/udp".to_owned(), 5353), ("80/tcp".to_owned(), 8082)].into(),
        volumes: vec![
            volume("/srv/app/html", "/usr/share/nginx/html", true),
            volume("/srv/logs", "/var/log/nginx", false),
        ],
        environment: [("EMPTY", ""), ("MODE", "test=1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        success_exit_codes: vec![0, 143],
    };
    assert_eq!(file.find("web"), Some(&expected));

    let job = expected.job();
    let command = JobCommand {
        timeout_seconds: 120,
        success_exit_codes: vec![0, 143],
        name: Some("web".to_owned()),
        ..JobCommand::argv(["nginx", "-g", "daemon off;"])
    };
    assert_eq!((job.commands.as_slice(), job.ttl_seconds), ([command].as_slice(), 1020));
    assert_eq!(job.sandbox.env, expected.environment);
    assert_eq!((&job.ports, &job.volumes), (&expected.ports, &expected.volumes));
    assert_eq!(job.cleanup_policy, CleanupPolicy::KeepOnCompletion);
    let again = JobSpec::from_json(&serde_json::to_value(&job).unwrap());
    assert_eq!(again, Ok(job), "the API takes what becomes of it");
}

#[test]
fn what_an_entry_does_not_say_has_the_defaults_of_older_versions() {
    let file = file("sandboxes: [{name: a, image: alpine, command: null}]");
    let sandbox = file.find("a").unwrap();
    assert_eq!((sandbox.timeout, sandbox.cleanup_policy), (60, CleanupPolicy::RemoveOnCompletion));
    assert_eq!((&sandbox.command, sandbox.success_exit_codes.as_slice()), (&None, [0].as_slice()));
    let job = sandbox.job();
    assert!(job.commands[0].image_command);
    assert_eq!(JobSpec::from_json(&serde_json::to_value(&job).unwrap()), Ok(job));
}

#[test]
fn the_longest_timeout_leaves_the_job_within_its_limits() {
    let job = file("sandboxes: [{name: a, image: alpine, timeout: 86400}]").sandboxes[0].job();
    assert_eq!((job.commands[0].timeout_seconds, job.ttl_seconds), (86_400, 86_400));
    assert_eq!(JobSpec::from_json(&serde_json::to_value(&job).unwrap()), Ok(job));
}

#[test]
fn everything_wrong_is_reported_with_its_place_in_the_entrys_own_words() {
    let text = "\
sandboxes:
  - image: alpine
    comand: [ls]
  - name: b
    image: UP PER
    command: ls -l
    timeout: 0
    cleanup_policy: remove_on_complete
    ports: {80/sctp: 70000}
    success_exit_codes: [256]
  - name: c
    environment: [A=1, B, A=2, =x]
    volumes:
      ~/x: {bind: /x}
      x: {bind: rel, mode: rx}
      y: {bind: /proc, mod: ro}
      z: {}
  - just a word
  - name: d/e
    image: alpine
    environment: {A: 1}
    volumes: {/a: {bind: /m}, /b: {bind: /m/}}
";
    insta::assert_snapshot!(problems(text));
    assert_eq!(file(text).sandboxes, []);
}

#[test]
fn bad_entries_and_second_ones_of_a_name_leave_the_rest_usable() {
    let text = "\
sandboxes:
  - {name: a, image: first}
  - {name: b}
  - {name: a, image: second}
  - {name: c, image: third}
version: 1
";
    let file = file(text);
    let images: Vec<_> = file.sandboxes.iter().map(|s| s.image.as_str()).collect();
    assert_eq!(images, ["first", "third"]);
    insta::assert_snapshot!(problems(text), @r#"
    6:1 /version is not a known field; the fields here are `sandboxes`
    3:5 /sandboxes/1/image (b) is missing; name the image to run in, such as "alpine:3"
    4:6 /sandboxes/2/name (a) is /sandboxes/0's name too; give each its own
    "#);
}

#[test]
fn a_file_of_something_else_is_one_problem() {
    for text in ["", "[]", "sandboxes: 3", "sandboxs: []", "sandboxes:"] {
        let file = file(text);
        assert!(file.sandboxes.is_empty() && !file.problems.is_empty(), "{text}");
    }
    assert_eq!(file("sandboxes: []"), SandboxFile::default());
}
