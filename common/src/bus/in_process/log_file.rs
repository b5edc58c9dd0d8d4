//! The form of a log's file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::domain::log::MAX_CHUNK;

/// The length before each entry, in bytes.
pub(super) const LENGTH: usize = 4;
/// No entry is longer; a longer one is damage.
pub(super) const MAX_ENTRY: usize = MAX_CHUNK + 1024;
/// How much is read at once while only lengths are looked at, in bytes.
const LOOK: usize = 8 * 1024;

/// The last end of a whole entry that is not beyond `limit`, looked for from `known` on, which must be such an
/// end itself. A file that is not there is empty.
pub(super) async fn boundary(path: PathBuf, known: u64, limit: u64) -> io::Result<u64> {
    tokio::task::spawn_blocking(move || match File::open(path) {
        Ok(file) => scan(file, known, limit),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(e),
    })
    .await?
}

fn scan(file: File, known: u64, limit: u64) -> io::Result<u64> {
    let size = file.metadata()?.len();
    // A shorter file than before is another file.
    let mut end = if known <= size { known } else { 0 };
    let mut file = BufReader::with_capacity(LOOK, file);
    file.seek(SeekFrom::Start(end))?;
    let limit = limit.min(size);
    while end + LENGTH as u64 <= limit {
        let mut length = [0; LENGTH];
        file.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        let next = end + LENGTH as u64 + u64::from(length);
        if next > limit || length as usize > MAX_ENTRY {
            break;
        }
        file.seek_relative(i64::from(length))?;
        end = next;
    }
    Ok(end)
}
