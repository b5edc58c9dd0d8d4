//! Files of sandboxes, as commands find and read them.

use std::path::{Path, PathBuf};

use orcaops_common::domain::job::{JobCommand, JobSpec};
use orcaops_common::domain::sandbox_file::{Problem, Sandbox, SandboxFile};
use orcaops_common::yaml::Document;

use crate::args::{FileArgs, SandboxRunArgs};
use crate::failure::Failure;
use crate::spec::{self, lines, located};

/// Where a file of sandboxes lies when none is named.
const DEFAULT_FILES: [&str; 2] = ["sandboxes.yml", "sandboxes.yaml"];

/// A sandbox can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SandboxError {
    /// There is no file.
    #[error("there is no {} here; write one, or name it with -f FILE", DEFAULT_FILES.join(" and no "))]
    NoFile,
    /// The file can't be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The file is neither YAML nor JSON, or says a thing twice.
    #[error("{} cannot be read{}", path.display(), lines(errors))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        errors: Vec<String>,
    },
    /// The entry is wrong.
    #[error("sandbox {name} cannot be run{}", lines(errors))]
    Bad {
        /// Its name.
        name: String,
        /// What is wrong, and where.
        errors: Vec<String>,
    },
    /// There is no such entry.
    #[error("{} has no sandbox {name}; {}", path.display(), known(names))]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name that was given.
        name: String,
        /// The names there are.
        names: Vec<String>,
    },
}

/// A file of sandboxes that was read.
pub(crate) struct Loaded {
    path: PathBuf,
    /// What it holds.
    pub(crate) file: SandboxFile,
}

impl Loaded {
    /// Reads the file that is named, or the one that is here.
    pub(crate) fn read(args: &FileArgs) -> Result<Self, SandboxError> {
        let path = match &args.file {
            Some(path) => path.clone(),
            None => DEFAULT_FILES
                .iter()
                .map(PathBuf::from)
                .find(|path| path.exists())
                .ok_or(SandboxError::NoFile)?,
        };
        let unreadable = |cause| SandboxError::Unreadable { path: path.clone(), cause };
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let absolute = std::path::absolute(&path).map_err(unreadable)?;
        let document = Document::parse(&text).map_err(|malformed| SandboxError::Malformed {
            path: path.clone(),
            errors: malformed
                .errors
                .into_iter()
                .map(|e| located(&path, e.position, &e.pointer, &e.message))
                .collect(),
        })?;
        let file = SandboxFile::read(&document, absolute.parent().unwrap_or(Path::new("/")));
        Ok(Self { path, file })
    }

    /// What is wrong, a line each.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.file.problems.iter().map(|problem| self.line(problem)).collect()
    }

    fn line(&self, problem: &Problem) -> String {
        let message = match &problem.name {
            Some(name) => format!("({name}) {}", problem.message),
            None => problem.message.clone(),
        };
        located(&self.path, problem.position, &problem.pointer, &message)
    }

    /// The job that runs a sandbox, with what the flags change.
    pub(crate) fn job(
        &self,
        args: &SandboxRunArgs,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<JobSpec, Failure> {
        let sandbox = self.find(&args.name)?;
        let mut sandbox = sandbox.clone();
        if let Some(timeout) = args.timeout {
            sandbox.timeout = timeout;
        }
        for written in &args.env {
            let (name, value) = spec::variable("-e", written, &lookup)?;
            sandbox.environment.insert(name, value);
        }
        let mut job = sandbox.job();
        if let (Some(step), [_, ..]) = (job.commands.first_mut(), args.command.as_slice()) {
            let own = match args.command.as_slice() {
                [line] => JobCommand::shell(line),
                argv => JobCommand::argv(argv),
            };
            (step.command, step.argv, step.image_command) = (own.command, own.argv, false);
        }
        // What flags say is all that has not been checked.
        spec::check(&job)?;
        Ok(job)
    }

    fn find(&self, name: &str) -> Result<&Sandbox, SandboxError> {
        if let Some(sandbox) = self.file.find(name) {
            return Ok(sandbox);
        }
        let own = self.file.problems.iter().filter(|problem| problem.name.as_deref() == Some(name));
        let errors: Vec<_> = own.map(|problem| self.line(problem)).collect();
        if !errors.is_empty() {
            return Err(SandboxError::Bad { name: name.to_owned(), errors });
        }
        let names = self.file.sandboxes.iter().map(|sandbox| sandbox.name.clone()).collect();
        Err(SandboxError::Unknown { path: self.path.clone(), name: name.to_owned(), names })
    }
}

fn known(names: &[String]) -> String {
    if names.is_empty() {
        "it has none that can be used".to_owned()
    } else {
        format!("it has {}", names.join(", "))
    }
}
