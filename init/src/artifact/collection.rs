//! Answers a worker's `Collect`: finds all files, then sends them in order.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use orcaops_init::codec::MAX_DATA;
use orcaops_init::message::{ArtifactBegin, ArtifactEnd, Collect, Collected, FromInit};
use sha2::{Digest, Sha256};

use super::names::{Names, is_own};
use super::pattern::{EXCEPT, Exclusion, Pattern};
use super::walk::{Found, Walk};
use crate::output::{Outgoing, clip};

/// The most files that are named as skipped.
const MAX_SKIPPED: usize = 100;
/// The most bytes of each of those entries.
const MAX_ENTRY: usize = 512;

/// A file to send.
struct Match {
    /// Its path as the pattern puts it.
    source: String,
    preferred_name: String,
}

/// A file that is being sent.
struct Sending {
    file: File,
    source: String,
    hash: Sha256,
    size: u64,
}

/// A collection under way.
pub(crate) struct Collection {
    max_files: usize,
    max_bytes: u64,
    /// In the spec's order, each with how many exclusions come before it.
    patterns: VecDeque<(Pattern, usize)>,
    /// In the spec's order. An exclusion takes away from the patterns before it, and from none after it.
    exclusions: Vec<Exclusion>,
    /// How many exclusions the present walk does not heed.
    unheeded: usize,
    walk: Option<Walk>,
    has_matched: bool,
    /// By real path, so that a file is sent once. Never more than `max_files`: those that sort first.
    found: BTreeMap<PathBuf, Match>,
    names: Names,
    sending: Option<Sending>,
    sent_bytes: u64,
    result: Collected,
}

impl Collection {
    pub(crate) fn new(collect: Collect, workdir: &Path) -> Self {
        let mut collection = Self {
            max_files: collect.max_files as usize,
            max_bytes: collect.max_bytes,
            patterns: VecDeque::new(),
            exclusions: Vec::new(),
            unheeded: 0,
            walk: None,
            has_matched: false,
            found: BTreeMap::new(),
            names: Names::default(),
            sending: None,
            sent_bytes: 0,
            result: Collected::default(),
        };
        for text in collect.patterns {
            if let Err(reason) = collection.add(&text, workdir) {
                collection.skip(&format!("the pattern {text}"), &reason);
                if !text.starts_with(EXCEPT) {
                    collection.result.unmatched.push(text);
                }
            }
        }
        collection
    }

    fn add(&mut self, text: &str, workdir: &Path) -> Result<(), String> {
        match text.strip_prefix(EXCEPT) {
            Some(text) => self.exclusions.push(Exclusion::parse(text, workdir)?),
            None => self.patterns.push_back((Pattern::parse(text, workdir)?, self.exclusions.len())),
        }
        Ok(())
    }

    /// Does the next small piece: an entry of a folder, or a part of a file. Says whether all is done.
    pub(crate) fn advance(&mut self, out: &mut Outgoing) -> bool {
        if self.walk.is_some() {
            self.find();
        } else if let Some((pattern, unheeded)) = self.patterns.pop_front() {
            self.has_matched = false;
            self.unheeded = unheeded;
            self.walk = Some(Walk::new(pattern, &self.exclusions[unheeded..]));
        } else if let Some(sending) = self.sending.take() {
            self.send_part(sending, out);
        } else if let Some((real, matched)) = self.found.pop_first() {
            self.begin(&real, matched, out);
        } else {
            out.send(&FromInit::Collected(std::mem::take(&mut self.result)));
            return true;
        }
        false
    }

    fn find(&mut self) {
        let Some(walk) = &mut self.walk else { return };
        match walk.advance(&self.exclusions[self.unheeded..]) {
            Found::Nothing => {}
            Found::File { real, source } => {
                self.has_matched = true;
                let name = walk.pattern().name(&source);
                match (source.to_str(), name.to_str()) {
                    (_, Some(name)) if is_own(name) => {
                        self.skip(&source.to_string_lossy(), "names that start like that are OrcaOps' own");
                    }
                    (Some(text), Some(name)) => {
                        let matched = Match { source: text.to_owned(), preferred_name: name.to_owned() };
                        self.found.entry(real).or_insert(matched);
                    }
                    _ => self.skip(&source.to_string_lossy(), "its name is not UTF-8"),
                }
                if self.found.len() > self.max_files {
                    self.found.pop_last();
                    self.limit(format!("more than {} files match", self.max_files));
                }
            }
            Found::Unfit { source, reason } => {
                self.has_matched = true;
                self.skip(&source.to_string_lossy(), &reason);
            }
            Found::End => {
                let pattern = walk.pattern().text.clone();
                self.walk = None;
                if !self.has_matched {
                    self.result.unmatched.push(pattern);
                }
            }
        }
    }

    fn begin(&mut self, real: &Path, matched: Match, out: &mut Outgoing) {
        let (file, size, mode) = match open(real) {
            Ok(opened) => opened,
            Err(e) => return self.skip(&matched.source, &e.to_string()),
        };
        let left = self.max_bytes - self.sent_bytes;
        if size > left {
            // Its apparent size counts: a sparse file is refused before a byte of it is read.
            self.skip(
                &matched.source,
                &format!("it has {size} bytes, of which only {left} may still be kept"),
            );
            return self.limit(format!("the files that match hold more than {} bytes", self.max_bytes));
        }
        let path = self.names.claim(&matched.preferred_name, &matched.source);
        let source = matched.source;
        out.send(&FromInit::ArtifactBegin(ArtifactBegin { path, source: source.clone(), size, mode }));
        self.sending = Some(Sending { file, source, hash: Sha256::new(), size: 0 });
    }

    fn send_part(&mut self, mut sending: Sending, out: &mut Outgoing) {
        let mut chunk = vec![0; MAX_DATA];
        let left = usize::try_from(self.max_bytes - self.sent_bytes).unwrap_or(usize::MAX);
        let count = match sending.file.read(&mut chunk) {
            Ok(0) => return end(sending, out),
            Ok(count) => count,
            Err(e) => {
                self.skip(&sending.source, &format!("the rest of it cannot be read: {e}"));
                return end(sending, out);
            }
        };
        // Only a file that grows while it is read gets here with more than there was room for.
        chunk.truncate(count.min(left));
        sending.hash.update(&chunk);
        sending.size += chunk.len() as u64;
        self.sent_bytes += chunk.len() as u64;
        if !chunk.is_empty() {
            out.send(&FromInit::ArtifactData(chunk));
        }
        if count > left {
            self.skip(&sending.source, "it grew while it was read, past the bytes that may be kept");
            self.limit(format!("the files that match hold more than {} bytes", self.max_bytes));
            return end(sending, out);
        }
        self.sending = Some(sending);
    }

    fn limit(&mut self, reason: String) {
        self.result.limit.get_or_insert(reason);
    }

    fn skip(&mut self, what: &str, reason: &str) {
        if self.result.skipped.len() < MAX_SKIPPED {
            self.result.skipped.push(clip(format!("{what}: {reason}"), MAX_ENTRY));
        }
    }
}

fn end(sending: Sending, out: &mut Outgoing) {
    let sha256 = hex::encode(sending.hash.finalize());
    out.send(&FromInit::ArtifactEnd(ArtifactEnd { sha256, size: sending.size }));
}

/// Opens a regular file by its real path, with its size and permission bits. Anything else that has its name by
/// now would make init wait, or read what it shouldn't; so would a link that a folder on the way has become.
fn open(path: &Path) -> io::Result<(File, u64, u32)> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))? != path {
        return Err(io::Error::other("a folder on the way to it was replaced meanwhile"));
    }
    Ok((file, metadata.len(), metadata.permissions().mode() & 0o777))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_swapped_in_after_the_walk_is_not_followed() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(temporary.path()).unwrap();
        for name in ["out", "secret"] {
            fs::create_dir(folder.join(name)).unwrap();
            fs::write(folder.join(name).join("file"), name).unwrap();
        }
        let file = folder.join("out/file");
        let before = open(&file).map(|(_, size, _)| size);
        // A folder on the way, then the file itself.
        fs::rename(folder.join("out"), folder.join("moved")).unwrap();
        symlink(folder.join("secret"), folder.join("out")).unwrap();
        let through_folder = open(&file).map(|_| ());
        fs::remove_file(folder.join("out")).unwrap();
        fs::create_dir(folder.join("out")).unwrap();
        symlink(folder.join("secret/file"), &file).unwrap();
        let through_file = open(&file).map(|_| ());
        assert_eq!(before.unwrap(), 3);
        assert_eq!(
            through_folder.unwrap_err().to_string(),
            "a folder on the way to it was replaced meanwhile"
        );
        assert!(through_file.is_err());
    }
}
