//! Folders of the host, as a file of sandboxes names them.

use std::path::{Component, Path, PathBuf};

/// The absolute path of what `written` names, seen from `folder`. `..` is taken at its word: links are not
/// followed, as the file may be read on another machine than the one it is meant for.
pub(super) fn resolve(folder: &Path, written: &str) -> Result<String, String> {
    if written.is_empty() {
        return Err("is empty; give a folder of the host".to_owned());
    }
    if written.starts_with('~') {
        return Err("begins with `~`, which only shells know; write the path out".to_owned());
    }
    let mut path = PathBuf::new();
    for component in folder.join(written).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    match path.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => Err("lies in a folder whose name is not UTF-8; write an absolute path".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_starts_at_the_files_folder() {
        for (written, expected) in [
            ("./data", "/srv/app/data"),
            ("data/", "/srv/app/data"),
            (".", "/srv/app"),
            ("../shared", "/srv/shared"),
            ("../../../..", "/"),
            ("/abs/./x", "/abs/x"),
        ] {
            assert_eq!(resolve(Path::new("/srv/app"), written).as_deref(), Ok(expected), "{written}");
        }
        assert!(resolve(Path::new("/srv"), "~/x").is_err());
        assert!(resolve(Path::new("/srv"), "").is_err());
    }
}
