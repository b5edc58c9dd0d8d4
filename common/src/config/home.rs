//! The folder that holds what OrcaOps keeps on a machine.

use std::path::{Path, PathBuf};

use super::error::ConfigError;

/// The folder's name below the user's home.
const NAME: &str = ".orcaops";

/// The home folder: database, run layout and the in-process bus' files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// The folder at `path`, or `~/.orcaops`.
    ///
    /// # Errors
    /// When neither `path` nor the user's home folder is known.
    pub fn resolve(path: Option<&Path>) -> Result<Self, ConfigError> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => std::env::home_dir()
                .filter(|home| !home.as_os_str().is_empty())
                .ok_or(ConfigError::NoHome)?
                .join(NAME),
        };
        // Absolute, as it names the fleet and must not depend on where a command is typed.
        let path = std::path::absolute(&path).map_err(|cause| ConfigError::Home { path, cause })?;
        Ok(Self { path })
    }

    /// Makes the folder, readable by its owner alone, unless it exists.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(&self) -> Result<(), ConfigError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.path).map_err(|cause| ConfigError::Home { path: self.path.clone(), cause })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of settings that is read when none is named.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The SQLite database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("orcaops.db")
    }

    /// The root of the run layout.
    #[must_use]
    pub fn artifacts(&self) -> PathBuf {
        self.path.join("artifacts")
    }

    /// The in-process bus' files.
    #[must_use]
    pub fn bus(&self) -> PathBuf {
        self.path.join("bus")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_folder_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(&parent.path().join("a/b"))).unwrap();
        home.create().unwrap();
        home.create().unwrap();
        let mode = std::fs::metadata(home.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_relative_folder_becomes_absolute() {
        let home = Home::resolve(Some(Path::new("here"))).unwrap();
        assert!(home.path().is_absolute() && home.database().ends_with("here/orcaops.db"));
    }
}
