//! What is asked of a build, and the job that it becomes.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::Build;
use super::name::{check, check_version, split};
use crate::domain::job::JobSpec;
use crate::domain::path::check_relative;

/// The Dockerfile's path when nothing is said.
const DEFAULT_DOCKERFILE: &str = "Dockerfile";
/// The version of names that have none.
const LATEST: &str = "latest";
/// The most names of one image.
const MAX_NAMES: usize = 20;
/// The most values of `ARG`s.
const MAX_ARGS: usize = 200;
/// The most memory that the engine's builder can be told, in bytes.
const MAX_MEMORY: u64 = i32::MAX as u64;

/// What is asked of a build, as it was sent or typed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BuildRequest {
    /// The job's id.
    pub job_id: Option<String>,
    /// The image's names, each with its version or without.
    pub names: Vec<String>,
    /// The version of names that have none.
    pub version: Option<String>,
    /// Whether each name is given to the image without its version, too.
    pub latest: bool,
    /// The Dockerfile's path within the context.
    pub dockerfile: Option<String>,
    /// Values of `ARG`s, as `NAME=VALUE`.
    pub args: Vec<String>,
    /// Whether to push the image.
    pub push: bool,
    /// The credential to pull and push with.
    pub registry_auth: Option<String>,
    /// Whose workers may build it.
    pub pool: Option<String>,
    /// How long the job may live, in seconds.
    pub timeout: Option<u32>,
    /// Memory of the build's containers.
    pub memory: Option<String>,
    /// CPUs of the build's containers.
    pub cpu: Option<f64>,
}

/// Something that is wrong with what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterError {
    /// The field of [`BuildRequest`] in the singular, as parameters are called.
    pub parameter: &'static str,
    /// What is wrong and how to mend it, as what follows the parameter's name.
    pub message: String,
}

impl BuildRequest {
    /// The Dockerfile's path within the context.
    #[must_use]
    pub fn dockerfile(&self) -> &str {
        let path = self.dockerfile.as_deref().unwrap_or(DEFAULT_DOCKERFILE);
        path.strip_prefix("./").unwrap_or(path)
    }

    /// The job that builds it from the upload `context`.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn job(&self, context: &str) -> Result<JobSpec, Vec<ParameterError>> {
        let mut errors = Vec::new();
        let tags = self.tags(&mut errors);
        let args = self.args(&mut errors);
        if let Err(reason) = check_relative(self.dockerfile()) {
            errors.push(error("dockerfile", format!("must lie in the context: {reason}")));
        }
        // Stands in for a name that is wrong, so that the rest is looked at all the same.
        let image = tags.first().map_or("image", String::as_str);
        let spec = self.checked(image, &mut errors);
        let (Some(spec), true) = (spec, errors.is_empty()) else { return Err(errors) };
        let build = Build {
            context: context.to_owned(),
            dockerfile: self.dockerfile().to_owned(),
            tags,
            args,
            push: self.push,
        };
        Ok(JobSpec { commands: Vec::new(), build: Some(build), ..spec })
    }

    fn tags(&self, errors: &mut Vec<ParameterError>) -> Vec<String> {
        if self.names.is_empty() {
            errors.push(error("name", "is missing; name the image, such as `app:1.0`"));
        }
        if self.names.len() > MAX_NAMES {
            errors.push(error("name", format!("is given more than {MAX_NAMES} times")));
        }
        if let Some(Err(reason)) = self.version.as_deref().map(check_version) {
            errors.push(error("version", reason));
        }
        let mut tags: Vec<String> = Vec::new();
        let mut add = |tag: String| {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        };
        for image in self.names.iter().take(MAX_NAMES) {
            let (name, own) = split(image);
            if let Err(reason) = check(name).and_then(|()| own.map_or(Ok(()), check_version)) {
                errors.push(error("name", format!("`{}` {reason}", image.escape_debug())));
                continue;
            }
            if own.is_some() && self.version.is_some() {
                errors.push(error(
                    "version",
                    format!("is given, and `{image}` has a version of its own; keep one"),
                ));
            }
            add(format!("{name}:{}", own.or(self.version.as_deref()).unwrap_or(LATEST)));
            if self.latest {
                add(format!("{name}:{LATEST}"));
            }
        }
        tags
    }

    fn args(&self, errors: &mut Vec<ParameterError>) -> BTreeMap<String, String> {
        let mut args = BTreeMap::new();
        if self.args.len() > MAX_ARGS {
            errors.push(error("arg", format!("is given more than {MAX_ARGS} times")));
        }
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        for arg in self.args.iter().take(MAX_ARGS) {
            match arg.split_once('=') {
                Some((name, value)) if is_name(name) && !value.contains('\0') => {
                    if args.insert(name.to_owned(), value.to_owned()).is_some() {
                        errors.push(error("arg", format!("gives {name} twice; keep one")));
                    }
                }
                _ => {
                    errors.push(error("arg", format!("is `{}`; write it as NAME=VALUE", arg.escape_debug())));
                }
            }
        }
        args
    }

    /// The fields that every job has, by the rules for jobs.
    fn checked(&self, image: &str, errors: &mut Vec<ParameterError>) -> Option<JobSpec> {
        let mut resources = Map::new();
        if let Some(memory) = &self.memory {
            resources.insert("memory".to_owned(), json!(memory));
        }
        if let Some(cpu) = self.cpu {
            resources.insert("cpu".to_owned(), json!(cpu));
        }
        let mut fields = json!({
            "sandbox": { "image": image, "resources": resources },
            // A job of commands has at least one; a build has none.
            "commands": [{ "command": "build" }],
        });
        for (field, value) in [
            ("job_id", self.job_id.as_ref().map(|id| json!(id))),
            ("pool", self.pool.as_ref().map(|pool| json!(pool))),
            ("ttl_seconds", self.timeout.map(|timeout| json!(timeout))),
            ("registry_auth", self.registry_auth.as_ref().map(|name| json!(name))),
        ] {
            if let Some(value) = value {
                fields[field] = value;
            }
        }
        match JobSpec::from_json(&fields) {
            Ok(spec) => {
                if spec.sandbox.resources.memory.is_some_and(|memory| memory > MAX_MEMORY) {
                    let text =
                        "is more than the engine's builder can be told; give at most 2047m, or leave it out";
                    errors.push(error("memory", text));
                }
                Some(spec)
            }
            Err(invalid) => {
                errors.extend(invalid.errors.into_iter().map(|e| error(parameter(&e.pointer), e.message)));
                None
            }
        }
    }
}

/// The parameter that a job's field comes from.
fn parameter(pointer: &str) -> &'static str {
    match pointer {
        "/job_id" => "job_id",
        "/pool" => "pool",
        "/ttl_seconds" => "timeout",
        "/registry_auth" => "registry_auth",
        "/sandbox/resources/memory" => "memory",
        "/sandbox/resources/cpu" => "cpu",
        // All that is left, and checked before.
        _ => "name",
    }
}

fn error(parameter: &'static str, message: impl Into<String>) -> ParameterError {
    ParameterError { parameter, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(names: &[&str]) -> BuildRequest {
        BuildRequest { names: names.iter().map(|n| (*n).to_owned()).collect(), ..BuildRequest::default() }
    }

    fn tags(request: &BuildRequest) -> Vec<String> {
        request.job("uploads/x").unwrap().build.unwrap().tags
    }

    #[test]
    fn names_versions_and_latest_make_the_tags() {
        assert_eq!(tags(&request(&["app"])), ["app:latest"]);
        assert_eq!(tags(&request(&["app:1", "reg:5000/app:1"])), ["app:1", "reg:5000/app:1"]);
        let versioned = BuildRequest { version: Some("2".to_owned()), latest: true, ..request(&["a", "b"]) };
        assert_eq!(tags(&versioned), ["a:2", "a:latest", "b:2", "b:latest"]);
        assert_eq!(tags(&BuildRequest { latest: true, ..request(&["a", "a:1"]) }), ["a:latest", "a:1"]);
    }

    #[test]
    fn a_request_becomes_a_job_that_builds() {
        let request = BuildRequest {
            job_id: Some("b1".to_owned()),
            dockerfile: Some("./docker/Dockerfile.ci".to_owned()),
            args: vec!["A=1=2".to_owned(), "B=".to_owned()],
            push: true,
            registry_auth: Some("corp".to_owned()),
            pool: Some("builders".to_owned()),
            timeout: Some(60),
            memory: Some("512m".to_owned()),
            cpu: Some(1.5),
            ..request(&["app:1"])
        };
        let job = request.job("uploads/x").unwrap();
        assert!(job.commands.is_empty());
        assert_eq!((job.sandbox.image.as_str(), job.ttl_seconds), ("app:1", 60));
        assert_eq!((job.pool.as_str(), job.registry_auth.as_deref()), ("builders", Some("corp")));
        let resources = &job.sandbox.resources;
        assert_eq!((resources.memory, resources.cpu), (Some(512 << 20), Some(1.5)));
        let build = job.build.clone().unwrap();
        assert_eq!(
            (build.context.as_str(), build.dockerfile.as_str()),
            ("uploads/x", "docker/Dockerfile.ci")
        );
        assert_eq!((build.args["A"].as_str(), build.args["B"].as_str(), build.push), ("1=2", "", true));
        let other = BuildRequest { args: vec![], ..request };
        assert_ne!(other.job("uploads/x").unwrap().fingerprint(), job.fingerprint());
    }

    #[test]
    fn everything_wrong_is_named_by_its_parameter_at_once() {
        let request = BuildRequest {
            job_id: Some("a/b".to_owned()),
            version: Some("-1".to_owned()),
            dockerfile: Some("../Dockerfile".to_owned()),
            args: vec!["1A=x".to_owned(), "B".to_owned()],
            registry_auth: Some(String::new()),
            pool: Some("p q".to_owned()),
            timeout: Some(1),
            memory: Some("lots".to_owned()),
            cpu: Some(0.0),
            ..request(&["App", "ok:1"])
        };
        let errors = request.job("x").unwrap_err();
        let mut parameters: Vec<_> = errors.iter().map(|e| e.parameter).collect();
        parameters.dedup();
        parameters.sort_unstable();
        let expected = [
            "arg",
            "cpu",
            "dockerfile",
            "job_id",
            "memory",
            "name",
            "pool",
            "registry_auth",
            "timeout",
            "version",
            "version",
        ];
        assert_eq!(parameters, expected, "{errors:#?}");
        assert_eq!(
            request_errors(&self::request(&[])),
            ["name is missing; name the image, such as `app:1.0`"]
        );
        let large = BuildRequest { memory: Some("4g".to_owned()), ..self::request(&["a"]) };
        assert!(request_errors(&large)[0].starts_with("memory is more than"));
    }

    fn request_errors(request: &BuildRequest) -> Vec<String> {
        let errors = request.job("x").unwrap_err();
        errors.iter().map(|e| format!("{} {}", e.parameter, e.message)).collect()
    }
}
