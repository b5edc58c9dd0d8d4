//! The names of artifacts below the job's folder.

use std::collections::HashSet;

/// What the run layout keeps in a job's folder itself.
const RESERVED_FILES: [&str; 2] = ["run.json", "steps.jsonl"];
/// The folder that the run layout keeps logs in.
const RESERVED_FOLDER: &str = "logs";
/// What the names of unfinished files in the run layout start with.
const TEMPORARY_PREFIX: &str = ".orcaops-tmp-";
/// Goes before a full path that is taken as well.
const PREFIX: &str = "_/";

/// Whether no artifact can have that name, whatever goes before it.
pub(crate) fn is_own(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with(TEMPORARY_PREFIX))
}

/// The names that have been given.
#[derive(Default)]
pub(crate) struct Names {
    files: HashSet<String>,
    folders: HashSet<String>,
}

impl Names {
    /// Gives `preferred` if it is free, or else the file's full path in the container.
    pub(crate) fn claim(&mut self, preferred: &str, full_path: &str) -> String {
        let mut name = preferred.to_owned();
        if !self.is_free(&name) {
            name = full_path.trim_start_matches('/').to_owned();
        }
        while !self.is_free(&name) {
            name.insert_str(0, PREFIX);
        }
        self.folders.extend(folders_of(&name).map(str::to_owned));
        self.files.insert(name.clone());
        name
    }

    /// A file needs a name that is no other file's and no folder's, in folders that are no files.
    fn is_free(&self, name: &str) -> bool {
        let is_reserved = RESERVED_FILES.contains(&name)
            || folders_of(name).chain([name]).any(|f| f == RESERVED_FOLDER)
            || folders_of(name).any(|f| RESERVED_FILES.contains(&f));
        !is_reserved
            && !self.files.contains(name)
            && !self.folders.contains(name)
            && !folders_of(name).any(|f| self.files.contains(f))
    }
}

/// The folders that a name lies in, from the outermost.
fn folders_of(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(claims: &[(&str, &str)]) -> Vec<String> {
        let mut names = Names::default();
        claims.iter().map(|(preferred, full)| names.claim(preferred, full)).collect()
    }

    #[test]
    fn a_free_name_is_given_as_it_is() {
        assert_eq!(claim(&[("app", "/tmp/app"), ("out/app", "/x/out/app")]), ["app", "out/app"]);
    }

    #[test]
    fn a_name_that_is_taken_or_reserved_gives_way_to_the_full_path() {
        assert_eq!(claim(&[("a.log", "/x/a.log"), ("a.log", "/y/a.log")]), ["a.log", "y/a.log"]);
        assert_eq!(
            claim(&[("run.json", "/x/run.json"), ("steps.jsonl", "/steps.jsonl"), ("logs/a", "/logs/a")]),
            ["x/run.json", "_/steps.jsonl", "_/logs/a"]
        );
    }

    #[test]
    fn no_name_is_both_a_file_and_a_folder() {
        assert_eq!(claim(&[("a", "/x/a"), ("a/b", "/y/a/b")]), ["a", "y/a/b"]);
        assert_eq!(claim(&[("a/b", "/y/a/b"), ("a", "/x/a")]), ["a/b", "x/a"]);
        assert_eq!(claim(&[("run.json/x", "/run.json/x")]), ["_/run.json/x"]);
    }

    #[test]
    fn every_file_gets_a_name_of_its_own_in_the_end() {
        let names = claim(&[("a", "/a"), ("_/a", "/_/a"), ("a", "/a"), ("a", "/a")]);
        assert_eq!(names, ["a", "_/a", "_/_/a", "_/_/_/a"]);
    }
}
