//! Which symbolic links may be sent.

use std::path::{Component, Path};

/// Says why a link at `path`, relative to the folder that is sent, must not be sent.
pub(super) fn check(path: &Path, target: &Path) -> Result<(), &'static str> {
    if target.is_absolute() {
        return Err("its target is absolute");
    }
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return Err("its target lies outside the folder"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_that_stay_inside_may_be_sent() {
        for (path, target) in
            [("a", "b"), ("d/a", "../b"), ("d/e/a", "../../x/y"), ("a", "./b"), ("d/a", "..")]
        {
            assert!(check(Path::new(path), Path::new(target)).is_ok(), "{path} -> {target}");
        }
        for (path, target) in [("a", "/etc/passwd"), ("a", ".."), ("d/a", "../../b"), ("a", "b/../../c")] {
            assert!(check(Path::new(path), Path::new(target)).is_err(), "{path} -> {target}");
        }
    }
}
