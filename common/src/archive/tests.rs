//! Archives as people make them, and as nobody should.

use std::io::{self, Read as _};

use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use super::walk::for_each_of;
use super::*;

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header
}

/// Writes the name as it is: the `tar` crate would refuse the hostile ones.
fn raw_header(name: &[u8], kind: EntryType, link: &[u8], size: u64) -> Header {
    let mut header = header(kind, size);
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    header.set_cksum();
    header
}

/// An archive of files, folders (`name/`) and links (`name -> target`), written by hand.
fn archive(entries: &[&str]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for entry in entries {
        let (name, link) = entry.split_once(" -> ").unwrap_or((entry, ""));
        let kind = match name {
            _ if !link.is_empty() => EntryType::Symlink,
            _ if name.ends_with('/') => EntryType::Directory,
            _ => EntryType::Regular,
        };
        let size = if kind == EntryType::Regular { 3 } else { 0 };
        builder
            .append(&raw_header(name.as_bytes(), kind, link.as_bytes(), size), &b"abc"[..size as usize])
            .unwrap();
    }
    builder.into_inner().unwrap()
}

/// The entries as text.
fn walk(archive: &[u8]) -> Result<Vec<String>, ArchiveError> {
    let mut seen = Vec::new();
    for_each(archive, |entry| {
        seen.push(match entry {
            Entry::Directory { path, .. } => format!("{path}/"),
            Entry::Symlink { path, target } => format!("{path} -> {target}"),
            Entry::File { path, reader, size, .. } => {
                let mut content = String::new();
                reader.read_to_string(&mut content)?;
                assert_eq!(content.len() as u64, size);
                format!("{path}={content}")
            }
        });
        Ok(())
    })?;
    Ok(seen)
}

#[track_caller]
fn refused(archive: &[u8], path: &str, words: &str) {
    match check_tar(archive) {
        Err(ArchiveError::Refused { path: found, reason }) => {
            assert_eq!(found, path);
            assert!(reason.contains(words), "{path}: {reason:?} lacks {words:?}");
        }
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn files_folders_and_links_come_in_their_order() {
    let tar = archive(&["./", "./a/", "./a//b", "c/d", "a/link -> ../c/d", "e -> ./a"]);
    assert_eq!(walk(&tar).unwrap(), ["a/", "a/b=abc", "c/d=abc", "a/link -> ../c/d", "e -> ./a"]);
    assert_eq!(check_tar(&tar[..]).unwrap(), TarSummary { files: 2, folders: 1, links: 2, bytes: 6 });
    assert_eq!(walk(&archive(&[])).unwrap(), Vec::<String>::new());
}

#[test]
fn only_permission_bits_come_through() {
    let mut header = header(EntryType::Regular, 0);
    header.set_mode(0o104_755);
    header.set_path("run.sh").unwrap();
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, io::empty()).unwrap();
    let mut modes = Vec::new();
    for_each(&builder.into_inner().unwrap()[..], |entry| {
        if let Entry::File { mode, .. } = entry {
            modes.push(mode);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(modes, [0o755]);
}

#[test]
fn what_leads_out_is_refused_by_name() {
    for (entry, words) in [
        ("/etc/passwd", "absolute"),
        ("../x", "`..`"),
        ("a/../../x", "`..`"),
        ("a/..", "`..`"),
        ("..", "`..`"),
    ] {
        refused(&archive(&["ok", entry]), entry, words);
    }
    for (entry, words) in [
        ("l -> /etc", "absolute"),
        ("l -> ..", "leads out"),
        ("a/l -> ../..", "leads out"),
        ("a/l -> .././../x", "leads out"),
        ("l -> a/../..", "at the start only"),
        ("l -> a/..", "at the start only"),
    ] {
        let (path, _) = entry.split_once(" -> ").unwrap();
        refused(&archive(&["a/", entry]), path, words);
    }
    let empty_link = raw_header(b"l", EntryType::Symlink, b"", 0);
    let mut builder = Builder::new(Vec::new());
    builder.append(&empty_link, io::empty()).unwrap();
    refused(&builder.into_inner().unwrap(), "l", "points to nothing");
}

#[test]
fn nothing_goes_through_a_link_or_a_file_and_nothing_comes_twice() {
    refused(&archive(&["d/", "l -> d", "l/x"]), "l/x", "goes through the link \"l\"");
    refused(&archive(&["d/", "l -> d", "./l/"]), "l", "twice");
    refused(&archive(&["d/x", "d -> e"]), "d", "twice");
    refused(&archive(&["f", "f/x"]), "f/x", "below \"f\"");
    refused(&archive(&["f", "./f"]), "f", "twice");
    assert!(check_tar(&archive(&["d/x", "d/", "d/"])[..]).is_ok());
}

#[test]
fn hard_links_devices_pipes_and_sparse_files_are_refused_by_name() {
    for (kind, words) in [
        (EntryType::Link, "hard link"),
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "pipe"),
        (EntryType::GNUSparse, "sparse"),
        (EntryType::new(b'Z'), "neither"),
    ] {
        let mut builder = Builder::new(Vec::new());
        builder.append(&raw_header(b"odd", kind, b"ok", 0), io::empty()).unwrap();
        refused(&builder.into_inner().unwrap(), "odd", words);
    }
}

#[test]
fn names_that_no_system_takes_are_refused() {
    refused(&archive(&[""]), "", "no name");
    let mut builder = Builder::new(Vec::new());
    builder.append(&raw_header(b"a\xff", EntryType::Regular, b"", 0), io::empty()).unwrap();
    refused(&builder.into_inner().unwrap(), "a\u{fffd}", "not UTF-8");
    for long in ["x".repeat(256), "x/".repeat(2500) + "y"] {
        refused(&pax(&[("path", long.as_bytes())], "short", 0), &long, "bytes; at most");
    }
    refused(&pax(&[("path", b"a\0b")], "short", 0), "a\0b", "NUL");
}

#[test]
fn long_names_come_whole() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    let target = format!("{}/x", "t".repeat(200));
    let mut builder = Builder::new(Vec::new());
    let mut file = header(EntryType::Regular, 3);
    builder.append_data(&mut file, &long, &b"abc"[..]).unwrap();
    builder.append_link(&mut header(EntryType::Symlink, 0), format!("{long}-link"), &target).unwrap();
    let tar = builder.into_inner().unwrap();
    assert_eq!(walk(&tar).unwrap(), [format!("{long}=abc"), format!("{long}-link -> {target}")]);
    assert_eq!(walk(&pax(&[("path", long.as_bytes())], "x", 3)).unwrap(), [format!("{long}=abc")]);
    let odd = "a\nb c=d".as_bytes();
    assert_eq!(walk(&pax(&[("mtime", b"1.5"), ("path", odd)], "x", 3)).unwrap(), ["a\nb c=d=abc"]);
}

/// An archive of one file with an extended header.
fn pax(records: &[(&str, &[u8])], name: &str, size: usize) -> Vec<u8> {
    let mut data = Vec::new();
    for (key, value) in records {
        let body = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
        let mut length = body.len() + 1;
        while length != body.len() + length.to_string().len() {
            length += 1;
        }
        data.extend([length.to_string().as_bytes(), &body].concat());
    }
    let mut builder = Builder::new(Vec::new());
    let extended = raw_header(b"pax", EntryType::XHeader, b"", data.len() as u64);
    builder.append(&extended, &data[..]).unwrap();
    builder
        .append(&raw_header(name.as_bytes(), EntryType::Regular, b"", size as u64), &b"abc"[..size])
        .unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn extended_headers_cannot_smuggle() {
    refused(&pax(&[("path", b"../x")], "ok", 3), "../x", "`..`");
    refused(&pax(&[("size", b"99999")], "a", 3), "a", "two sizes");
    refused(&pax(&[("size", b"-1")], "a", 3), "a", "two sizes");
    assert!(check_tar(&pax(&[("size", b"3")], "a", 3)[..]).is_ok());
    refused(&pax(&[("GNU.sparse.major", b"1")], "a", 3), "a", "sparse");
    for broken in [&b"12"[..], b"999 path=x\n", b"1 path=x\n", b"0 a=b\n", b"x path=x\n", b"9 path x\n"] {
        let mut builder = Builder::new(Vec::new());
        let extended = raw_header(b"pax", EntryType::XHeader, b"", broken.len() as u64);
        builder.append(&extended, broken).unwrap();
        let tar = builder.into_inner().unwrap();
        assert!(matches!(check_tar(&tar[..]), Err(ArchiveError::Unreadable(_))), "{broken:?}");
    }
}

#[test]
fn a_header_that_claims_gibibytes_is_not_held_in_memory() {
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let head = raw_header(b"x", kind, b"", 1 << 30);
        let endless = head.as_bytes().chain(io::repeat(b'x'));
        let error = check_tar(endless).unwrap_err();
        assert!(error.to_string().contains("a header has 1073741824 bytes"), "{error}");
    }
}

#[test]
fn counts_are_limited() {
    /// Gives headers for ever.
    struct Endless(EntryType, u32, Vec<u8>);
    impl io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.2.is_empty() {
                self.1 += 1;
                self.2 = raw_header(self.1.to_string().as_bytes(), self.0, b"", 0).as_bytes().to_vec();
            }
            let n = buffer.len().min(self.2.len());
            buffer[..n].copy_from_slice(&self.2[..n]);
            self.2.drain(..n);
            Ok(n)
        }
    }
    for (kind, words) in [(EntryType::Regular, "100 entries"), (EntryType::XGlobalHeader, "400 headers")] {
        let error = for_each_of(100, Endless(kind, 0, Vec::new()), |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn what_is_no_tar_or_ends_early_is_told_so() {
    assert!(matches!(check_tar(io::empty()), Err(ArchiveError::Empty)));
    let error = check_tar(&[0x1f, 0x8b, 8, 0].repeat(300)[..]).unwrap_err();
    assert!(matches!(error, ArchiveError::NotATar(_)), "{error}");
    assert!(error.to_string().contains("not compressed"), "{error}");
    let tar = archive(&["a", "b"]);
    for end in [1, 511, 513, 514, 1023, 1025, 1030, 1536 + 2] {
        assert!(check_tar(&tar[..end]).is_err(), "{end} bytes were taken for a whole archive");
    }
}

#[test]
fn an_error_of_the_taker_ends_the_walk() {
    let mut calls = 0;
    let error = for_each(&archive(&["a", "b"])[..], |_| {
        calls += 1;
        Err(io::Error::other("no room"))
    })
    .unwrap_err();
    assert_eq!(
        (calls, error.to_string()),
        (1, "the archive's entry \"a\" cannot be taken over: no room".to_owned())
    );
}

proptest! {
    #[test]
    fn no_accepted_archive_leaves_its_folder(
        entries in proptest::collection::vec(r"[ab./]{1,6}( -> [ab./]{1,8})?", 1..6),
    ) {
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        let Ok(seen) = walk(&archive(&entries)) else { return Ok(()) };
        // Made for real, every path still resolves to something inside.
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let root = root.canonicalize().unwrap();
        for entry in seen {
            let made = if let Some((path, target)) = entry.split_once(" -> ") {
                std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
                std::os::unix::fs::symlink(target, root.join(path)).unwrap();
                root.join(path)
            } else if let Some(path) = entry.strip_suffix('/') {
                std::fs::create_dir_all(root.join(path)).unwrap();
                root.join(path)
            } else {
                let path = root.join(entry.split_once('=').unwrap().0);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, "abc").unwrap();
                path
            };
            if let Ok(real) = made.canonicalize() {
                prop_assert!(real.starts_with(&root), "{:?} is {:?}", made, real);
            }
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_an_archive(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = check_tar(&bytes[..]);
    }
}
