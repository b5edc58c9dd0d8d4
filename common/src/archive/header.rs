//! The names of entries, which a tar may spread over several headers.
//!
//! The `tar` crate would put them together by itself, but holds whatever length the archive claims.

use std::io::Read;

use tar::{EntryType, Header};

use super::error::ArchiveError;

/// The most bytes of one header that only says something about the next entry.
const MAX_EXTENSION: u64 = 1024 * 1024;

/// What the headers before an entry say about it.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    gnu_path: Option<Vec<u8>>,
    gnu_link: Option<Vec<u8>>,
    pax_path: Option<Vec<u8>>,
    pax_link: Option<Vec<u8>>,
    pax_size: Option<u64>,
    is_sparse: bool,
}

impl Extensions {
    /// Takes an entry that is only about others. `false` when it is an entry of its own.
    pub(super) fn take<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<bool, ArchiveError> {
        match entry.header().entry_type() {
            EntryType::GNULongName => self.gnu_path = Some(text(entry)?),
            EntryType::GNULongLink => self.gnu_link = Some(text(entry)?),
            EntryType::XHeader => self.take_pax(&bytes(entry)?)?,
            // What it says of all entries (a comment, mostly) is not what names are made of.
            EntryType::XGlobalHeader => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The entry's path.
    pub(super) fn path(&self, header: &Header) -> Vec<u8> {
        let long = self.pax_path.as_ref().or(self.gnu_path.as_ref());
        long.cloned().unwrap_or_else(|| header.path_bytes().into_owned())
    }

    /// What the entry points to, if it is a link.
    pub(super) fn link(&self, header: &Header) -> Vec<u8> {
        let long = self.pax_link.as_ref().or(self.gnu_link.as_ref());
        long.cloned().unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned())
    }

    /// Whether the entry's bytes are not simply the file's.
    pub(super) fn is_sparse(&self) -> bool {
        self.is_sparse
    }

    /// Whether another reader would see another size, and so another archive.
    pub(super) fn contradicts(&self, size: u64) -> bool {
        self.pax_size.is_some_and(|s| s != size)
    }

    fn take_pax(&mut self, mut records: &[u8]) -> Result<(), ArchiveError> {
        while !records.is_empty() {
            let (key, value, rest) = record(records)
                .ok_or_else(|| ArchiveError::Unreadable("an extended header is malformed".to_owned()))?;
            match key {
                b"path" => self.pax_path = Some(value.to_vec()),
                b"linkpath" => self.pax_link = Some(value.to_vec()),
                // A size that is none contradicts every size.
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
                    self.pax_size = Some(size.unwrap_or(u64::MAX));
                }
                _ => self.is_sparse |= key.starts_with(b"GNU.sparse."),
            }
            records = rest;
        }
        Ok(())
    }
}

/// The first record, `LENGTH KEY=VALUE\n`, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|b| *b == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|b| *b == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &bytes[length..]))
}

fn text<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = bytes(entry)?;
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    Ok(bytes)
}

fn bytes<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>, ArchiveError> {
    let size = entry.size();
    if size > MAX_EXTENSION {
        let reason = format!("a header has {size} bytes; at most {MAX_EXTENSION} are allowed");
        return Err(ArchiveError::Unreadable(reason));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|e| ArchiveError::Unreadable(e.to_string()))?;
    if bytes.len() as u64 != size {
        return Err(ArchiveError::Unreadable("it ends within a header".to_owned()));
    }
    Ok(bytes)
}
