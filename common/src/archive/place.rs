//! Where one entry goes, and where a link leads. Errors are reasons, in words.

use crate::domain::path::{MAX_COMPONENT, MAX_PATH, check_relative};

/// The path of an entry without what says nothing (`./`, doubled and trailing `/`); empty for the folder that
/// everything lies in.
pub(super) fn place(path: &[u8]) -> Result<String, String> {
    let path = std::str::from_utf8(path).map_err(|_| "its name is not UTF-8; rename it".to_owned())?;
    if path.starts_with('/') {
        return Err("its path is absolute; pack it by a relative one".to_owned());
    }
    let names: Vec<&str> = path.split('/').filter(|n| !n.is_empty() && *n != ".").collect();
    let place = names.join("/");
    if place.is_empty() {
        return if path.is_empty() { Err("it has no name".to_owned()) } else { Ok(place) };
    }
    check_relative(&place)?;
    match names.iter().find(|name| name.len() > MAX_COMPONENT) {
        Some(long) => {
            Err(format!("a name in it has {} bytes; at most {MAX_COMPONENT} are allowed", long.len()))
        }
        None => Ok(place),
    }
}

/// Checks that a link at `place` stays among the archive's own files.
///
/// `..` counts only at the start, where it climbs from folders that are known to be no links. After a name it
/// could climb from wherever a link of that name leads.
pub(super) fn target(place: &str, target: &[u8]) -> Result<String, String> {
    let target =
        std::str::from_utf8(target).map_err(|_| "the name that it points to is not UTF-8".to_owned())?;
    if target.is_empty() {
        return Err("it points to nothing".to_owned());
    }
    if target.len() > MAX_PATH {
        return Err(format!("what it points to has {} bytes; at most {MAX_PATH} are allowed", target.len()));
    }
    if target.contains('\0') {
        return Err("what it points to contains a NUL character".to_owned());
    }
    if target.starts_with('/') {
        return Err(format!("it points to {target:?}, which is absolute; link by a relative path"));
    }
    let mut climbs = place.matches('/').count();
    let mut at_start = true;
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." if !at_start => {
                return Err(format!("it points to {target:?}; write `..` at the start only"));
            }
            ".." if climbs == 0 => {
                return Err(format!("it points to {target:?}, which leads out of the archive"));
            }
            ".." => climbs -= 1,
            _ => at_start = false,
        }
    }
    Ok(target.to_owned())
}
