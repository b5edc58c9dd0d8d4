//! What can be wrong with settings.

use std::path::PathBuf;

/// A setting can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("cannot read the settings in {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The file says what can't be used. All that is wrong with it.
    #[error("{}", in_file(path, problems))]
    File {
        /// The file.
        path: PathBuf,
        /// Line, and what is wrong there.
        problems: Vec<(usize, String)>,
    },
    /// Everybody on the machine may read the file of credentials.
    #[error(
        "every user of this machine may read the credentials in {} (mode {mode:04o}); run `chmod 600 {}`",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A variable of the environment says what can't be used.
    #[error("{variable}: {reason}")]
    Environment {
        /// Its name.
        variable: &'static str,
        /// What is wrong with it, and how to mend it.
        reason: String,
    },
    /// A flag says what can't be used.
    #[error("--{flag}: {reason}")]
    Flag {
        /// Its name, without the dashes.
        flag: String,
        /// What is wrong with it, and how to mend it.
        reason: String,
    },
    /// Nothing says where the home folder is.
    #[error("cannot tell where your home folder is; set ORCAOPS_HOME to a folder for OrcaOps' files")]
    NoHome,
    /// The home folder can't be made.
    #[error("cannot use {} as home folder; choose another with --home or ORCAOPS_HOME", path.display())]
    Home {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
}

fn in_file(path: &std::path::Path, problems: &[(usize, String)]) -> String {
    let lines: Vec<_> =
        problems.iter().map(|(line, what)| format!("{}:{line}: {what}", path.display())).collect();
    lines.join("\n")
}
