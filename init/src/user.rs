//! The user that a step runs as, looked up in the image's own files: a static program has no other way.

use std::path::{Path, PathBuf};

use crate::sys::Ids;

/// Users, where the image lists them.
const USERS: &str = "/etc/passwd";
/// Groups, where the image lists them.
const GROUPS: &str = "/etc/group";

/// Whom a step runs as.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    gid: u32,
    groups: Vec<u32>,
    pub(crate) home: Option<PathBuf>,
}

impl User {
    /// The user that `text` names: a name or a number, and perhaps a group after a colon. The error says what
    /// is not known.
    pub(crate) fn find(text: &str) -> Result<Self, String> {
        let read = |path: &str| std::fs::read(Path::new(path)).unwrap_or_default();
        let (users, groups) = (read(USERS), read(GROUPS));
        find(text, &String::from_utf8_lossy(&users), &String::from_utf8_lossy(&groups))
    }

    pub(crate) fn ids(&self) -> Ids {
        Ids { uid: self.uid, gid: self.gid, groups: self.groups.clone() }
    }
}

fn find(text: &str, users: &str, groups: &str) -> Result<User, String> {
    let (name, group) = text.split_once(':').map_or((text, None), |(name, group)| (name, Some(group)));
    let number = name.parse::<u32>().ok();
    let entry = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| {
        fields.len() >= 6 && (fields[0] == name || number.is_some() && fields[2].parse().ok() == number)
    });
    let uid = entry.as_ref().and_then(|fields| fields[2].parse().ok()).or(number);
    let uid = uid.ok_or_else(|| format!("the image has no user {name:?} in {USERS}"))?;
    let own_group = entry.as_ref().and_then(|fields| fields[3].parse().ok()).unwrap_or(0);
    let gid = match group {
        None => own_group,
        Some(group) => find_group(group, groups)?,
    };
    let mut others = Vec::new();
    if let (Some(fields), None) = (&entry, group) {
        others.extend(groups.lines().filter_map(|line| {
            let group: Vec<_> = line.split(':').collect();
            let is_member = group.len() >= 4 && group[3].split(',').any(|member| member == fields[0]);
            if is_member { group[2].parse::<u32>().ok() } else { None }
        }));
    }
    let home = entry.map(|fields| PathBuf::from(fields[5])).filter(|home| !home.as_os_str().is_empty());
    Ok(User { uid, gid, groups: others, home })
}

fn find_group(name: &str, groups: &str) -> Result<u32, String> {
    let mut entries = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entries.find(|fields| fields.len() >= 3 && fields[0] == name);
    let gid = entry.and_then(|fields| fields[2].parse().ok()).or_else(|| name.parse().ok());
    gid.ok_or_else(|| format!("the image has no group {name:?} in {GROUPS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str =
        "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:www:/var/www:/bin/false\n7:x:70:70::/:/bin/sh\n";
    const GROUPS: &str = "root:x:0:\nweb:x:34:\nlog:x:4:root,web\nbad\n";

    fn user(text: &str) -> Result<(u32, u32, Vec<u32>, Option<String>), String> {
        let user = find(text, USERS, GROUPS)?;
        Ok((user.uid, user.gid, user.groups, user.home.map(|home| home.display().to_string())))
    }

    #[test]
    fn a_name_and_its_number_mean_the_same_user() {
        let web = Ok((33, 34, vec![4], Some("/var/www".to_owned())));
        assert_eq!(user("web"), web);
        assert_eq!(user("33"), web);
    }

    #[test]
    fn a_number_that_no_entry_has_is_a_user_all_the_same() {
        assert_eq!(user("1000"), Ok((1000, 0, vec![], None)));
        assert_eq!(user("1000:1001"), Ok((1000, 1001, vec![], None)));
    }

    #[test]
    fn a_group_that_is_named_is_the_only_one() {
        assert_eq!(user("web:log"), Ok((33, 4, vec![], Some("/var/www".to_owned()))));
        assert!(user("web:nobody").unwrap_err().contains("no group \"nobody\""));
    }

    #[test]
    fn a_name_that_looks_like_a_number_is_a_name_first() {
        assert_eq!(user("7").map(|u| u.0), Ok(70));
        assert!(user("nobody").unwrap_err().contains("no user \"nobody\""));
    }
}
