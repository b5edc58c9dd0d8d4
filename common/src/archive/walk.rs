//! Walks an archive from its beginning to its end.

use std::io::{self, Read};

use tar::EntryType;

use super::error::ArchiveError;
use super::header::Extensions;
use super::place::{place, target};
use super::tree::{Kind, Tree};

/// The most files, folders and links in one archive.
const MAX_ENTRIES: usize = 100_000;
/// The most headers for each entry allowed: some only say something about the next entry.
const HEADERS_PER_ENTRY: usize = 4;
/// The permission bits that count.
const MODE_BITS: u32 = 0o777;

/// Something to make below a folder. Its path is relative, checked, and without `.` or `..`.
pub enum Entry<'a> {
    /// A folder.
    Directory {
        /// Where it goes.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A file.
    File {
        /// Where it goes. Folders on the way may have no entry of their own.
        path: String,
        /// Its permission bits.
        mode: u32,
        /// Its size in bytes. A torn archive yields fewer, and an error after this entry.
        size: u64,
        /// Its content. What is left unread is skipped.
        reader: &'a mut dyn Read,
    },
    /// A symbolic link.
    Symlink {
        /// Where it goes.
        path: String,
        /// What it points to: relative, and inside.
        target: String,
    },
}

/// What an archive holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TarSummary {
    /// How many files.
    pub files: u64,
    /// How many folders have an entry.
    pub folders: u64,
    /// How many symbolic links.
    pub links: u64,
    /// The sizes of all files together, in bytes.
    pub bytes: u64,
}

/// Checks a whole archive.
///
/// # Errors
/// The first thing that is wrong with it, with the entry's name.
pub fn check_tar(reader: impl Read) -> Result<TarSummary, ArchiveError> {
    let mut summary = TarSummary::default();
    for_each(reader, |entry| {
        match entry {
            Entry::Directory { .. } => summary.folders += 1,
            Entry::Symlink { .. } => summary.links += 1,
            Entry::File { size, .. } => {
                summary.files += 1;
                summary.bytes = summary.bytes.saturating_add(size);
            }
        }
        Ok(())
    })?;
    Ok(summary)
}

/// Hands an archive's entries over, in their order. It blocks.
///
/// # Errors
/// The first thing that is wrong with the archive, with the entry's name; entries before it have been handed
/// over. Or the first error of `take`.
pub fn for_each(
    reader: impl Read,
    take: impl FnMut(Entry<'_>) -> io::Result<()>,
) -> Result<(), ArchiveError> {
    for_each_of(MAX_ENTRIES, reader, take)
}

/// [`for_each`] of at most so many entries.
pub(super) fn for_each_of(
    max_entries: usize,
    reader: impl Read,
    mut take: impl FnMut(Entry<'_>) -> io::Result<()>,
) -> Result<(), ArchiveError> {
    let mut archive = tar::Archive::new(Counted { reader, bytes: 0 });
    let mut walk = Walk { max_entries, ..Walk::default() };
    let entries = archive.entries().map_err(|e| ArchiveError::Unreadable(e.to_string()))?;
    // Raw: the headers that only say something about the next entry come by themselves.
    for entry in entries.raw(true) {
        let mut entry = entry.map_err(|e| match walk.headers {
            0 => ArchiveError::NotATar(e.to_string()),
            _ => ArchiveError::Unreadable(e.to_string()),
        })?;
        walk.take(&mut entry, &mut take)?;
    }
    if archive.into_inner().bytes == 0 { Err(ArchiveError::Empty) } else { Ok(()) }
}

#[derive(Default)]
struct Walk {
    max_entries: usize,
    headers: usize,
    entries: usize,
    extensions: Extensions,
    tree: Tree,
}

impl Walk {
    fn take<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        take: &mut impl FnMut(Entry<'_>) -> io::Result<()>,
    ) -> Result<(), ArchiveError> {
        self.headers += 1;
        let max_headers = self.max_entries.saturating_mul(HEADERS_PER_ENTRY);
        if self.headers > max_headers {
            return Err(ArchiveError::TooLarge { what: "headers", limit: max_headers });
        }
        if self.extensions.take(entry)? {
            return Ok(());
        }
        self.entries += 1;
        if self.entries > self.max_entries {
            return Err(ArchiveError::TooLarge { what: "entries", limit: self.max_entries });
        }
        let extensions = std::mem::take(&mut self.extensions);
        let raw_path = extensions.path(entry.header());
        let named =
            |reason| ArchiveError::Refused { path: String::from_utf8_lossy(&raw_path).into_owned(), reason };
        let kind = kind(entry.header(), &extensions, &raw_path).map_err(named)?;
        let path = place(&raw_path).map_err(named)?;
        if path.is_empty() {
            // `./`, the folder itself: it is there.
            return if kind == Kind::Folder { Ok(()) } else { Err(named("it has no name".to_owned())) };
        }
        if extensions.contradicts(entry.size()) {
            return Err(named("its headers give it two sizes".to_owned()));
        }
        self.tree.add(&path, kind)?;
        let mode = entry.header().mode().map_err(|e| named(e.to_string()))? & MODE_BITS;
        let made = match kind {
            Kind::Folder => take(Entry::Directory { path, mode }),
            Kind::Link => {
                let target = target(&path, &extensions.link(entry.header())).map_err(named)?;
                take(Entry::Symlink { path, target })
            }
            Kind::File => take(Entry::File { path, mode, size: entry.size(), reader: entry }),
        };
        made.map_err(|cause| ArchiveError::Interrupted {
            path: String::from_utf8_lossy(&raw_path).into_owned(),
            cause,
        })
    }
}

/// What an entry makes, or why it may not.
fn kind(header: &tar::Header, extensions: &Extensions, path: &[u8]) -> Result<Kind, String> {
    let refused = match header.entry_type() {
        _ if extensions.is_sparse() => "it is a sparse file; pack it without `--sparse`",
        EntryType::GNUSparse => "it is a sparse file; pack it without `--sparse`",
        // Before there was a type for folders, they were files whose name ends so.
        EntryType::Regular if path.ends_with(b"/") => return Ok(Kind::Folder),
        EntryType::Regular | EntryType::Continuous => return Ok(Kind::File),
        EntryType::Directory => return Ok(Kind::Folder),
        EntryType::Symlink => return Ok(Kind::Link),
        EntryType::Link => "it is a hard link; pack it with `--hard-dereference`",
        EntryType::Char | EntryType::Block => "it is a device",
        EntryType::Fifo => "it is a pipe",
        _ => "it is neither file, folder nor symbolic link",
    };
    Err(refused.to_owned())
}

/// Counts the bytes read.
struct Counted<R> {
    reader: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}
