//! Names that an image can be given.

/// The longest name with its version, in bytes.
const MAX_NAME: usize = 256;
/// The longest version, in bytes.
const MAX_VERSION: usize = 128;

/// An image's name and, if it has one, its version: `registry:5000/team/app` and `1.2`.
pub(super) fn split(image: &str) -> (&str, Option<&str>) {
    match image.rsplit_once(':') {
        // A colon before a slash belongs to a registry's port.
        Some((name, version)) if !version.contains('/') => (name, Some(version)),
        _ => (image, None),
    }
}

/// What is wrong with a name, without its version.
pub(super) fn check(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("is empty; give a name such as `app` or `registry.example/team/app`".to_owned());
    }
    if name.len() > MAX_NAME - MAX_VERSION {
        return Err(format!("has {} bytes; at most {} are allowed", name.len(), MAX_NAME - MAX_VERSION));
    }
    if name.contains('@') {
        return Err("has a digest, which only the engine can give; leave out what follows the `@`".to_owned());
    }
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, name),
    };
    if let Some(registry) = registry
        && !is_registry(registry)
    {
        return Err(format!("names the registry `{registry}`, which is none; write it as host or host:port"));
    }
    if path.split('/').all(is_component) {
        return Ok(());
    }
    if path.chars().any(char::is_uppercase) {
        return Err("has upper-case letters; use lower-case ones".to_owned());
    }
    Err("is no name of an image; use lower-case letters and digits, with single `.`, `_`, `-` or `/` between"
        .to_owned())
}

/// What is wrong with a version.
pub(super) fn check_version(version: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if version.is_empty()
        || version.len() > MAX_VERSION
        || !version.chars().all(plain)
        || version.starts_with(['.', '-'])
    {
        return Err(format!(
            "is no version; use letters, digits, `.`, `_` and `-`, beginning with no `.` or `-`, at most {MAX_VERSION}"
        ));
    }
    Ok(())
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (registry, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    host.split('.').all(is_label) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Letters and digits, with `.`, `_`, `__` or dashes between them.
fn is_component(component: &str) -> bool {
    let is_alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends = bytes.first().copied().is_some_and(is_alphanumeric)
        && bytes.last().copied().is_some_and(is_alphanumeric);
    let separators = component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends && separators.into_iter().all(|s| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_engines_take() {
        for good in [
            "app",
            "a/b/c",
            "a.b_c__d---e",
            "registry.example/team/app",
            "localhost/a",
            "10.0.0.1:5000/a",
            "reg:5000/a",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = "a".repeat(200);
        for bad in [
            "",
            "App",
            "a//b",
            "/a",
            "a/",
            "a..b",
            "a___b",
            "-a",
            "a.",
            "a b",
            "reg:x/a",
            "reg:0/a",
            "-r.x/a",
            "a@sha256:0",
            &long,
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_are_those_that_engines_take() {
        for good in ["1", "latest", "1.2.3-rc_1", "_x"] {
            assert_eq!(check_version(good), Ok(()), "{good}");
        }
        let long = "a".repeat(129);
        for bad in ["", ".1", "-1", "a/b", "a:b", "ä", &long] {
            assert!(check_version(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_registrys_port_is_no_version() {
        assert_eq!(split("reg:5000/a"), ("reg:5000/a", None));
        assert_eq!(split("reg:5000/a:1"), ("reg:5000/a", Some("1")));
        assert_eq!(split("a"), ("a", None));
    }
}
