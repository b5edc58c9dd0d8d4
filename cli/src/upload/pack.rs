//! Packs a folder as tar: the same folder always becomes the same bytes.

use std::fs::{File, Metadata};
use std::io::{BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};
use tar::{Builder, EntryType, Header};

use super::dockerignore::BadPattern;
use super::link;

/// A folder that is packed, and the bytes of it that were packed.
#[derive(Debug)]
pub(crate) struct Packed {
    /// The tar, in a file without a name that vanishes with it.
    pub(crate) tar: File,
    /// How many files.
    pub(crate) files: u64,
    /// How many bytes in them.
    pub(crate) bytes: u64,
}

/// The folder can't be packed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    /// It is none.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// What was given.
        path: PathBuf,
    },
    /// It can't be walked.
    #[error("cannot read the folder to upload")]
    Walk {
        /// Where and why.
        #[source]
        cause: ignore::Error,
    },
    /// A file in it can't be read.
    #[error("cannot pack {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// Something in it must not or can't be sent.
    #[error("cannot upload {}: {reason}; name it in {ignore_file} to leave it out", path.display())]
    Refused {
        /// What.
        path: PathBuf,
        /// Why.
        reason: &'static str,
        /// The file that names what is not sent.
        ignore_file: &'static str,
    },
    /// It is to be built, and says not how.
    #[error("{} has no {dockerfile}; name it with -f", folder.display())]
    NoDockerfile {
        /// The folder.
        folder: PathBuf,
        /// What was looked for in it.
        dockerfile: String,
    },
    /// It says in a way that can't be read what is not to be sent.
    #[error(transparent)]
    Ignore(#[from] BadPattern),
    /// The tar can't be written.
    #[error("cannot write the packed folder to a temporary file")]
    Write {
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
}

/// Packs what is in a folder, less `.git` and what its ignore files name. It reads and writes files, and blocks.
pub(crate) fn pack(folder: &Path) -> Result<Packed, PackError> {
    if !folder.is_dir() {
        return Err(PackError::NotAFolder { path: folder.to_owned() });
    }
    pack_entries(folder, ".gitignore", walk(folder), |_| true)
}

/// Packs what a walk finds in a folder and `is_sent` wants, with the folders on the way. `ignore_file` is where users say
/// what is not to be sent.
pub(super) fn pack_entries(
    folder: &Path,
    ignore_file: &'static str,
    entries: ignore::Walk,
    is_sent: impl Fn(&Path) -> bool,
) -> Result<Packed, PackError> {
    let write = |cause| PackError::Write { cause };
    let out = BufWriter::new(tempfile::tempfile().map_err(write)?);
    let mut pack = Pack { tar: Builder::new(out), ignore_file, files: 0, bytes: 0 };
    let mut on_the_way = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|cause| PackError::Walk { cause })?;
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        if path.as_os_str().is_empty() {
            continue;
        }
        on_the_way.retain(|above: &DirEntry| entry.path().starts_with(above.path()));
        if is_sent(path) {
            for above in on_the_way.drain(..) {
                pack.add(&above, above.path().strip_prefix(folder).unwrap_or(above.path()))?;
            }
            pack.add(&entry, path)?;
        } else {
            on_the_way.push(entry);
        }
    }
    let mut out = pack.tar.into_inner().map_err(write)?;
    out.flush().map_err(write)?;
    let mut tar = out.into_inner().map_err(|e| write(e.into_error()))?;
    tar.rewind().map_err(write)?;
    Ok(Packed { tar, files: pack.files, bytes: pack.bytes })
}

fn walk(folder: &Path) -> ignore::Walk {
    WalkBuilder::new(folder)
        .hidden(false)
        .ignore(false)
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        // A folder inside a repository obeys the repository; any other obeys itself alone.
        .parents(is_in_repository(folder))
        .follow_links(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .sort_by_file_name(Ord::cmp)
        .build()
}

fn is_in_repository(folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else { return false };
    folder.ancestors().any(|above| above.join(".git").exists())
}

struct Pack {
    tar: Builder<BufWriter<File>>,
    ignore_file: &'static str,
    files: u64,
    bytes: u64,
}

impl Pack {
    fn add(&mut self, entry: &DirEntry, path: &Path) -> Result<(), PackError> {
        let ignore_file = self.ignore_file;
        let refused = |reason| PackError::Refused { path: path.to_owned(), reason, ignore_file };
        let failed = |cause| PackError::File { path: path.to_owned(), cause };
        if path.to_str().is_none() {
            return Err(refused("its name is not UTF-8"));
        }
        let metadata = entry.metadata().map_err(|cause| PackError::Walk { cause })?;
        let kind = metadata.file_type();
        if kind.is_symlink() {
            let target = std::fs::read_link(entry.path()).map_err(failed)?;
            link::check(path, &target).map_err(refused)?;
            let mut header = header(EntryType::Symlink, 0o777, 0);
            self.tar.append_link(&mut header, path, &target).map_err(failed)
        } else if kind.is_dir() {
            let mut header = header(EntryType::Directory, 0o755, 0);
            self.tar.append_data(&mut header, path, std::io::empty()).map_err(failed)
        } else if kind.is_file() {
            let file = File::open(entry.path()).map_err(failed)?;
            let size = metadata.len();
            let mut header = header(EntryType::Regular, mode(&metadata), size);
            let content = Exactly { file, left: size };
            self.tar.append_data(&mut header, path, content).map_err(failed)?;
            self.files += 1;
            self.bytes += size;
            Ok(())
        } else {
            Err(refused("it is neither a file nor a folder nor a link"))
        }
    }
}

/// A header that says nothing of when and by whom.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Whether a file may be executed is all of its mode that travels.
#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 }
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> u32 {
    0o644
}

/// Reads as many bytes as the header says. A file that shrinks meanwhile would spoil all that comes after it.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = (&mut self.file).take(self.left).read(buffer)?;
        if read == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(std::io::Error::other("it shrank while it was packed"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
