use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn bytes(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack(folder).unwrap().tar.read_to_end(&mut bytes).unwrap();
    bytes
}

fn names(folder: &Path) -> Vec<String> {
    let bytes = bytes(folder);
    let mut archive = tar::Archive::new(bytes.as_slice());
    archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect()
}

#[test]
fn hidden_files_are_sent_and_ignored_ones_and_git_are_not() {
    let folder = folder(&[
        (".gitignore", "secret\nbuild/\n"),
        (".env.example", "x"),
        ("secret", "x"),
        ("build/out", "x"),
        ("src/main", "x"),
        ("src/.gitignore", "*.tmp\n"),
        ("src/a.tmp", "x"),
        ("vendor/.git/config", "x"),
        ("vendor/lib", "x"),
    ]);
    let expected =
        [".env.example", ".gitignore", "src", "src/.gitignore", "src/main", "vendor", "vendor/lib"];
    assert_eq!(names(folder.path()), expected);
}

#[test]
fn a_folder_inside_a_repository_obeys_the_repository_and_another_does_not_look_up() {
    let outer = folder(&[(".gitignore", "*.log\n"), ("sub/a.log", "x"), ("sub/b", "x")]);
    assert_eq!(names(&outer.path().join("sub")), ["a.log", "b"]);
    std::fs::create_dir(outer.path().join(".git")).unwrap();
    assert_eq!(names(&outer.path().join("sub")), ["b"]);
}

#[test]
fn the_same_folder_becomes_the_same_bytes_whenever_it_was_written() {
    let files = [("b", "2"), ("a", "1"), ("c/d", "3")];
    let (one, two) = (folder(&files), folder(&files));
    let old = std::fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    File::options().write(true).open(two.path().join("a")).unwrap().set_times(old).unwrap();
    std::fs::set_permissions(two.path().join("b"), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(bytes(one.path()), bytes(two.path()));
}

#[test]
fn executable_files_stay_so_and_links_inside_are_kept() {
    let folder = folder(&[("run", "#!/bin/sh"), ("plain", "x")]);
    std::fs::set_permissions(folder.path().join("run"), std::fs::Permissions::from_mode(0o700)).unwrap();
    symlink("run", folder.path().join("link")).unwrap();
    let bytes = bytes(folder.path());
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut seen = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let target = entry.link_name().unwrap().map(|t| t.display().to_string());
        seen.push((entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), target));
    }
    let expected = [
        ("link".to_owned(), 0o777, Some("run".to_owned())),
        ("plain".to_owned(), 0o644, None),
        ("run".to_owned(), 0o755, None),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_link_that_leads_out_is_refused_by_name() {
    let folder = folder(&[("sub/a", "x")]);
    symlink("../../etc/passwd", folder.path().join("sub/evil")).unwrap();
    let error = pack(folder.path()).unwrap_err().to_string();
    insta::assert_snapshot!(error, @"cannot upload sub/evil: its target lies outside the folder; name it in .gitignore to leave it out");
}

#[test]
fn what_is_no_folder_is_refused() {
    let folder = folder(&[("a", "x")]);
    assert!(matches!(pack(&folder.path().join("a")), Err(PackError::NotAFolder { .. })));
    assert!(matches!(pack(&folder.path().join("none")), Err(PackError::NotAFolder { .. })));
}

#[test]
fn long_names_and_counts_survive() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let folder = folder(&[(&long, "12345")]);
    let packed = pack(folder.path()).unwrap();
    assert_eq!((packed.files, packed.bytes), (1, 5));
    assert!(names(folder.path()).contains(&long));
}
