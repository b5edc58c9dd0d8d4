//! What can be wrong with a job that was asked for.

use std::path::PathBuf;

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
    /// The file is neither YAML nor JSON.
    #[error("{} is neither YAML nor JSON", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What and where.
        #[source]
        cause: serde_yaml::Error,
    },
    /// Fields are wrong; all of them.
    #[error("{what} is not valid{}", lines(errors))]
    Invalid {
        /// What was read.
        what: String,
        /// Where, and what is wrong there.
        errors: Vec<(String, String)>,
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
    /// From a file.
    File(PathBuf),
}

impl SpecError {
    pub(super) fn invalid(origin: Origin, errors: Vec<(String, String)>) -> Self {
        match origin {
            Origin::File(path) => {
                Self::Invalid { what: format!("the job spec in {}", path.display()), errors }
            }
            Origin::Flags => {
                let mut by_flag: Vec<(String, String)> = Vec::new();
                for (pointer, message) in errors {
                    let flag = flag(&pointer);
                    // A timeout out of range is wrong in two fields, and was typed once.
                    if by_flag.last().is_none_or(|(last, _)| *last != flag) {
                        by_flag.push((flag, message));
                    }
                }
                by_flag.sort();
                by_flag.dedup_by(|a, b| a.0 == b.0 && a.0.starts_with("--timeout"));
                Self::Invalid { what: "the job".to_owned(), errors: by_flag }
            }
        }
    }
}

/// What was typed for the field that a pointer names.
fn flag(pointer: &str) -> String {
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
        Some((flag, rest)) if *flag == "--env" && !rest.is_empty() => {
            format!("{flag} {}", rest.trim_start_matches('/').replace("~1", "/").replace("~0", "~"))
        }
        Some((flag, _)) => (*flag).to_owned(),
        None => pointer.to_owned(),
    }
}

fn lines(errors: &[(String, String)]) -> String {
    let whole =
        |pointer: &str| if pointer.is_empty() { "(the whole)".to_owned() } else { pointer.to_owned() };
    errors.iter().map(|(pointer, message)| format!("\n  {}: {message}", whole(pointer))).collect()
}
