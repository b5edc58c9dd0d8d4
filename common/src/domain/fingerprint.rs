//! A fingerprint of what determines a job's result.
//!
//! It is the SHA-256 of a canonical JSON text that older versions of the tool wrote too, so that the same
//! job keeps the same fingerprint: keys sorted, separators `", "` and `": "`, everything but printable
//! ASCII escaped, defaults written out, and `null` for a step without a working folder. What those versions
//! did not know (argument vectors, inputs, `workdir`, builds) is part of the text only when it is set. The job's id,
//! resources, time to live and pool are never part of it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::build::Build;
use super::job::{Encoding, Input, JobCommand, JobSpec};

impl JobSpec {
    /// SHA-256, in hex, of what determines the job's result: image, commands, environment, artifacts, and,
    /// when set, inputs and `workdir`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(canonical(self)))
    }
}

fn canonical(spec: &JobSpec) -> String {
    let mut fields = vec![
        ("artifacts", array(&spec.artifacts, |pattern| string(pattern))),
        ("commands", array(&spec.commands, command)),
        ("env", object(spec.sandbox.env.iter().map(|(name, value)| (name.as_str(), string(value))))),
        ("image", string(&spec.sandbox.image)),
    ];
    if let Some(build) = &spec.build {
        fields.insert(1, ("build", self::build(build)));
    }
    if !spec.inputs.is_empty() {
        fields.push(("inputs", array(&spec.inputs, input)));
    }
    if let Some(workdir) = &spec.workdir {
        fields.push(("workdir", string(workdir)));
    }
    object(fields)
}

fn build(build: &Build) -> String {
    object([
        ("args", object(build.args.iter().map(|(name, value)| (name.as_str(), string(value))))),
        ("context", string(&build.context)),
        ("dockerfile", string(&build.dockerfile)),
        ("push", build.push.to_string()),
        ("tags", array(&build.tags, |tag| string(tag))),
    ])
}

fn command(step: &JobCommand) -> String {
    let mut fields = Vec::with_capacity(4);
    if let Some(argv) = &step.argv {
        fields.push(("argv", array(argv, |arg| string(arg))));
    }
    if let Some(command) = &step.command {
        fields.push(("command", string(command)));
    }
    fields.push(("cwd", step.cwd.as_deref().map_or_else(|| "null".to_owned(), string)));
    if step.image_command {
        fields.push(("image_command", "true".to_owned()));
    }
    fields.push(("timeout_seconds", step.timeout_seconds.to_string()));
    object(fields)
}

fn input(input: &Input) -> String {
    let mut fields = Vec::with_capacity(5);
    if let Some(content) = &input.content {
        fields.push(("content", string(content)));
    }
    let encoding = match input.encoding {
        Encoding::Text => "text",
        Encoding::Base64 => "base64",
    };
    fields.push(("encoding", string(encoding)));
    fields.push(("executable", input.executable.to_string()));
    if let Some(name) = &input.object {
        fields.push(("object", string(name)));
    }
    fields.push(("path", string(&input.path)));
    object(fields)
}

/// The fields must be sorted already.
fn object<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<String> =
        fields.into_iter().map(|(key, value)| format!("{}: {value}", string(key))).collect();
    format!("{{{}}}", fields.join(", "))
}

fn array<T>(items: &[T], write: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(write).collect::<Vec<_>>().join(", "))
}

fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::domain::run::RunRecord;

    #[derive(Deserialize)]
    struct Vector {
        spec: serde_json::Value,
        canonical: String,
        fingerprint: String,
    }

    const VECTORS: &str = include_str!("../../testdata/fingerprints.json");

    #[test]
    fn every_vector_gives_its_text_and_its_fingerprint() {
        let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
        assert!(vectors.len() >= 5);
        for vector in vectors {
            let spec = JobSpec::from_json(&vector.spec).unwrap();
            assert_eq!(canonical(&spec), vector.canonical);
            assert_eq!(spec.fingerprint(), vector.fingerprint);
        }
    }

    #[test]
    fn a_recorded_run_has_the_fingerprint_of_its_spec() {
        let record: RunRecord =
            serde_json::from_str(include_str!("../../testdata/runs/build-42/run.json")).unwrap();
        let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
        let vector = vectors.iter().find(|v| v.spec["job_id"] == "build-42").unwrap();
        assert_eq!(Some(JobSpec::from_json(&vector.spec).unwrap().fingerprint()), record.fingerprint);
    }

    #[test]
    fn what_does_not_determine_the_result_does_not_count() {
        let spec = JobSpec::new("alpine:3", vec![JobCommand::shell("true")]);
        let mut other = spec.clone();
        other.job_id = Some("x".parse().unwrap());
        other.ttl_seconds = 10;
        other.pool = "gpu".parse().unwrap();
        other.sandbox.resources.cpu = Some(2.0);
        assert_eq!(other.fingerprint(), spec.fingerprint());
    }

    #[test]
    fn argument_vectors_inputs_and_workdir_count_when_they_are_set() {
        let mut spec = JobSpec::new("a1", vec![JobCommand::argv(["echo", "a b"])]);
        spec.workdir = Some("/src".to_owned());
        spec.inputs = vec![Input {
            path: "a".to_owned(),
            content: Some("x\n".to_owned()),
            encoding: Encoding::Text,
            object: None,
            executable: true,
        }];
        assert_eq!(
            canonical(&spec),
            concat!(
                r#"{"artifacts": [], "commands": [{"argv": ["echo", "a b"], "cwd": null, "timeout_seconds": 300}], "#,
                r#""env": {}, "image": "a1", "inputs": [{"content": "x\n", "encoding": "text", "#,
                r#""executable": true, "path": "a"}], "workdir": "/src"}"#
            )
        );
    }
}
