//! What can be wrong with a job that was asked for.

use std::path::{Path, PathBuf};

use orcaops_common::domain::parse::FieldError;
use orcaops_common::yaml::{Document, Position};
use serde_json::Value;

/// The job can't be submitted as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpecError {
    /// The file can't be read.
    #[error("cannot read the job spec in {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The file is neither YAML nor JSON, or says a thing twice.
    #[error("the job spec in {} cannot be read{}", path.display(), lines(errors))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        errors: Vec<String>,
    },
    /// Fields are wrong; all of them.
    #[error("{what} is not valid{}", lines(errors))]
    Invalid {
        /// What was read.
        what: String,
        /// Where, and what is wrong there.
        errors: Vec<String>,
    },
    /// A variable was to be taken from the environment and is not there.
    #[error("{flag} {name}: {name} is not set here; set it, or write {flag} {name}=VALUE")]
    NotSet {
        /// What was typed before it.
        flag: &'static str,
        /// Its name.
        name: String,
    },
    /// A flag's value has not the form that it must have.
    #[error("{flag} {typed}: write it as {form}")]
    Form {
        /// The flag.
        flag: &'static str,
        /// Its value.
        typed: String,
        /// What it should look like.
        form: &'static str,
    },
}

/// Where a spec was read.
#[derive(Debug)]
pub(super) enum Origin {
    /// From flags.
    Flags,
    /// From a file, before flags were laid over it.
    File(PathBuf, Document),
}

impl SpecError {
    /// `spec` is what was checked, and `errors` what is wrong with it.
    pub(super) fn invalid(origin: Origin, spec: &Value, errors: Vec<FieldError>) -> Self {
        match origin {
            Origin::File(path, document) => {
                let line = |error: FieldError| {
                    // What a flag says is not in the file.
                    let is_flags = document.value.pointer(&error.pointer) != spec.pointer(&error.pointer);
                    match known_flag(&error.pointer).filter(|_| is_flags) {
                        Some(flag) => format!("{flag} {}", error.message),
                        None => {
                            let position = document.position(&error.pointer);
                            located(&path, position, &error.pointer, &error.message)
                        }
                    }
                };
                let mut errors = errors;
                // In the order of the file.
                errors.sort_by_key(|error| document.position(&error.pointer));
                let errors = errors.into_iter().map(line).collect();
                Self::Invalid { what: format!("the job spec in {}", path.display()), errors }
            }
            Origin::Flags => {
                let mut by_flag: Vec<(String, String)> = Vec::new();
                for FieldError { pointer, message } in errors {
                    let flag = known_flag(&pointer).unwrap_or(pointer);
                    // A timeout out of range is wrong in two fields, and was typed once.
                    if by_flag.last().is_none_or(|(last, _)| *last != flag) {
                        by_flag.push((flag, message));
                    }
                }
                by_flag.sort();
                by_flag.dedup_by(|a, b| a.0 == b.0 && a.0.starts_with("--timeout"));
                let errors = by_flag.into_iter().map(|(flag, message)| format!("{flag}: {message}"));
                Self::Invalid { what: "the job".to_owned(), errors: errors.collect() }
            }
        }
    }
}

/// An error in a file as compilers write it, so that editors find the place.
pub(crate) fn located(path: &Path, position: Option<Position>, pointer: &str, message: &str) -> String {
    let place = match position {
        Some(Position { line, column }) => format!("{}:{line}:{column}", path.display()),
        None => path.display().to_string(),
    };
    let field = if pointer.is_empty() { String::new() } else { format!("{pointer} ") };
    format!("{place}: {field}{message}")
}

/// What was typed for the field that a pointer names.
fn known_flag(pointer: &str) -> Option<String> {
    const FLAGS: [(&str, &str); 25] = [
        ("/sandbox/image", "IMAGE"),
        ("/sandbox/env", "--env"),
        ("/sandbox/resources/cpu", "--cpu"),
        ("/sandbox/resources/memory", "--memory"),
        ("/sandbox/resources/pids", "--pids"),
        ("/artifacts", "--artifact"),
        ("/ttl_seconds", "--timeout"),
        ("/commands/0/timeout_seconds", "--timeout"),
        ("/workdir", "--workdir"),
        ("/sandbox/resources/disk", "--disk"),
        ("/sandbox/resources/gpus", "--gpus"),
        ("/commands/0/user", "--user"),
        ("/network", "--network"),
        ("/ports", "--publish"),
        ("/volumes", "--volume"),
        ("/cache", "--cache"),
        ("/tmpfs", "--tmpfs"),
        ("/labels", "--label"),
        ("/pull_policy", "--pull"),
        ("/registry_auth", "--registry-auth"),
        ("/cleanup_policy", "--cleanup-policy"),
        ("/secrets", "--secret"),
        ("/retry/max_attempts", "--max-attempts"),
        ("/retry/on", "--retry-on"),
        ("/commands", "CMD"),
    ];
    let found = FLAGS.iter().find_map(|(prefix, flag)| Some((flag, pointer.strip_prefix(prefix)?)));
    match found {
        // The name of a variable, the number of a pattern.
        Some((flag, rest)) if *flag == "--env" && rest.len() > 1 => {
            Some(format!("{flag} {}", rest.trim_start_matches('/').replace("~1", "/").replace("~0", "~")))
        }
        Some((flag, _)) => Some((*flag).to_owned()),
        None => None,
    }
}

/// One below the other.
pub(crate) fn lines(errors: &[String]) -> String {
    errors.iter().map(|error| format!("\n  {error}")).collect()
}
