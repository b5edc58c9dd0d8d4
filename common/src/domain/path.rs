//! Paths that jobs name: relative, and never leading out of the folder that they start in.

/// The longest path, in bytes.
pub const MAX_PATH: usize = 4096;
/// The longest name of one file or folder, in bytes: what file systems take.
pub const MAX_COMPONENT: usize = 255;
/// The run layout's file for the record.
pub const RECORD_FILE: &str = "run.json";
/// The run layout's file for the steps.
pub const STEPS_FILE: &str = "steps.jsonl";
/// The run layout's folder for the log.
pub const LOGS_FOLDER: &str = "logs";
/// What the names of unfinished files in the run layout start with.
pub const TEMPORARY_PREFIX: &str = ".orcaops-tmp-";

/// Checks that a path is relative and stays below its base.
///
/// # Errors
/// The reason, in words.
pub fn check_relative(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("it is empty".to_owned());
    }
    if path.len() > MAX_PATH {
        return Err(format!("it has {} bytes; at most {MAX_PATH} are allowed", path.len()));
    }
    if path.contains('\0') {
        return Err("it contains a NUL character".to_owned());
    }
    if path.starts_with('/') {
        return Err("it is absolute; write it without the leading `/`".to_owned());
    }
    for component in path.split('/') {
        match component {
            "" => {
                return Err(
                    "it has an empty component; write single `/` between names, none at the end".to_owned()
                );
            }
            ".." => return Err("it contains `..`, which may lead out of its folder".to_owned()),
            "." => return Err("it contains `.`; leave that out".to_owned()),
            _ => {}
        }
    }
    Ok(())
}

/// Checks that an artifact of that path may lie in a job's folder, beside what OrcaOps keeps there itself.
///
/// # Errors
/// The reason, in words.
pub fn check_artifact_path(path: &str) -> Result<(), String> {
    check_relative(path)?;
    if let Some(long) = path.split('/').find(|c| c.len() > MAX_COMPONENT) {
        return Err(format!("a name in it has {} bytes; at most {MAX_COMPONENT} are allowed", long.len()));
    }
    let first = path.split('/').next().unwrap_or_default();
    if [RECORD_FILE, STEPS_FILE, LOGS_FOLDER].contains(&first) {
        return Err(format!("`{first}` is where OrcaOps keeps its own data"));
    }
    if path.split('/').any(|c| c.starts_with(TEMPORARY_PREFIX)) {
        return Err(format!("names that start with `{TEMPORARY_PREFIX}` are OrcaOps' own"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_that_may_leave_their_folder_are_refused() {
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/..",
            "a/../b",
            ".",
            "./a",
            "a/.",
            "a//b",
            "a/",
            "a\0b",
            &"x/".repeat(2048).repeat(2),
        ] {
            assert!(check_relative(bad).is_err(), "{bad:?} was accepted");
        }
        for good in ["a", "a/b", "..a", "a..", "...", ".hidden", "ä b/c\\d", "a\nb"] {
            assert_eq!(check_relative(good), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn artifacts_cannot_take_the_layouts_own_names() {
        for bad in [
            "run.json",
            "run.json/x",
            "steps.jsonl",
            "logs",
            "logs/log.jsonl",
            ".orcaops-tmp-1",
            "a/.orcaops-tmp-1",
            "../x",
            &"x".repeat(256),
        ] {
            assert!(check_artifact_path(bad).is_err(), "{bad:?} was accepted");
        }
        for good in
            ["out/run.json", "a/logs/x", "logs.txt", "run.json.bak", ".orcaops/init", &"x".repeat(255)]
        {
            assert_eq!(check_artifact_path(good), Ok(()), "{good:?}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_path_stays_below_its_base(path in r"[a-b./\\]{0,12}") {
            if check_relative(&path).is_ok() {
                let joined = std::path::Path::new("/base").join(&path);
                prop_assert!(joined.starts_with("/base"));
                prop_assert!(joined.components().all(|c| c != std::path::Component::ParentDir));
                prop_assert_eq!(joined.to_str().unwrap(), format!("/base/{path}"));
            }
        }
    }
}
