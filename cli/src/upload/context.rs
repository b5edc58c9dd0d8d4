//! Packs the context of a build.

use std::path::Path;

use ignore::WalkBuilder;

use super::dockerignore::{DockerIgnore, FILE};
use super::pack::{PackError, Packed, pack_entries};

/// Packs a folder, less what its `.dockerignore` names; the Dockerfile and that file itself are always sent. It reads
/// and writes files, and blocks.
pub(crate) fn pack_context(folder: &Path, dockerfile: &str) -> Result<Packed, PackError> {
    if !folder.is_dir() {
        return Err(PackError::NotAFolder { path: folder.to_owned() });
    }
    if !folder.join(dockerfile).is_file() {
        return Err(PackError::NoDockerfile { folder: folder.to_owned(), dockerfile: dockerfile.to_owned() });
    }
    let file = folder.join(FILE);
    let ignore = match std::fs::read_to_string(&file) {
        Ok(text) => DockerIgnore::parse(&text)?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => DockerIgnore::default(),
        Err(cause) => return Err(PackError::File { path: file, cause }),
    };
    let dockerfile = Path::new(dockerfile);
    let is_sent = |path: &Path| path == dockerfile || path == Path::new(FILE) || !ignore.leaves_out(path);
    let walk = {
        let (root, dockerfile, ignore) = (folder.to_owned(), dockerfile.to_owned(), ignore.clone());
        WalkBuilder::new(folder)
            .standard_filters(false)
            .follow_links(false)
            // What need not be looked at: large folders are what is left out as a rule.
            .filter_entry(move |entry| {
                let path = entry.path().strip_prefix(&root).unwrap_or(entry.path());
                ignore.has_exceptions()
                    || dockerfile.starts_with(path)
                    || path == Path::new(FILE)
                    || !ignore.leaves_out(path)
            })
            .sort_by_file_name(Ord::cmp)
            .build()
    };
    pack_entries(folder, FILE, walk, is_sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[(&str, &str)], dockerfile: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let packed = pack_context(folder.path(), dockerfile).unwrap();
        let mut archive = tar::Archive::new(packed.tar);
        archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn what_dockerignore_names_stays_here_and_what_gitignore_names_is_sent() {
        let files = [
            (".dockerignore", "secret\n**/*.tmp\ndocker\n"),
            (".gitignore", "target\n"),
            ("target/app", "x"),
            ("secret", "x"),
            ("src/a.tmp", "x"),
            ("src/main", "x"),
            ("docker/Dockerfile", "FROM scratch"),
            ("docker/other", "x"),
            (".git/config", "x"),
        ];
        let expected = [
            ".dockerignore",
            ".git",
            ".git/config",
            ".gitignore",
            "docker",
            "docker/Dockerfile",
            "src",
            "src/main",
            "target",
            "target/app",
        ];
        assert_eq!(names(&files, "docker/Dockerfile"), expected);
    }

    #[test]
    fn exceptions_bring_back_what_lies_in_a_folder_that_is_left_out() {
        let files = [
            (".dockerignore", "*\n!src/keep\n"),
            ("Dockerfile", "FROM scratch"),
            ("src/keep", "x"),
            ("src/drop", "x"),
            ("other/deep/file", "x"),
        ];
        assert_eq!(names(&files, "Dockerfile"), [".dockerignore", "Dockerfile", "src", "src/keep"]);
    }

    #[test]
    fn a_context_needs_its_dockerfile() {
        let folder = tempfile::tempdir().unwrap();
        let error = pack_context(folder.path(), "Dockerfile").unwrap_err();
        assert!(error.to_string().ends_with("has no Dockerfile; name it with -f"), "{error}");
    }
}
