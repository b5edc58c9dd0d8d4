//! Files and folders below the root, one component at a time so that no link is followed.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::error::LayoutError;
use super::temporary::Temporary;

/// Makes `folder`, which lies below `root`, and the folders between them. Components that exist must be
/// folders and no links.
pub(super) fn make_folder(root: &Path, folder: &Path) -> Result<(), LayoutError> {
    let failed = |e| LayoutError::io("create the folder", folder, e);
    fs::create_dir_all(root).map_err(|e| LayoutError::io("create the folder", root, e))?;
    let below = folder.strip_prefix(root).map_err(|e| failed(io::Error::other(e)))?;
    let mut path = root.to_owned();
    for component in below {
        let parent = path.clone();
        path.push(component);
        match fs::create_dir(&path) {
            Ok(()) => sync_folder(&parent)?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => check_folder(&path)?,
            Err(e) => return Err(LayoutError::io("create the folder", &path, e)),
        }
    }
    Ok(())
}

/// Checks that no component of `path` below `root` is a link, and all but the last are folders. What does
/// not exist is fine.
pub(super) fn check_way(root: &Path, path: &Path) -> Result<(), LayoutError> {
    let Ok(below) = path.strip_prefix(root) else {
        let cause = io::Error::other("it lies outside of the root");
        return Err(LayoutError::io("open", path, cause));
    };
    let mut place = root.to_owned();
    let mut components = below.iter().peekable();
    while let Some(component) = components.next() {
        place.push(component);
        if components.peek().is_none() {
            return check_link(&place).map(|_| ());
        }
        match check_link(&place)? {
            None => return Ok(()),
            Some(metadata) if metadata.is_dir() => {}
            Some(_) => return Err(LayoutError::WrongKind { path: place, wanted: "folder" }),
        }
    }
    Ok(())
}

/// Checks that a file may get this name: nothing has it, or a file.
pub(super) fn check_target(path: &Path) -> Result<(), LayoutError> {
    match check_link(path)? {
        Some(metadata) if !metadata.is_file() => {
            Err(LayoutError::WrongKind { path: path.to_owned(), wanted: "file" })
        }
        Some(_) | None => Ok(()),
    }
}

fn check_folder(path: &Path) -> Result<(), LayoutError> {
    match check_link(path)? {
        Some(metadata) if !metadata.is_dir() => {
            Err(LayoutError::WrongKind { path: path.to_owned(), wanted: "folder" })
        }
        Some(_) | None => Ok(()),
    }
}

/// What lies there, if anything does. A link is an error.
pub(super) fn check_link(path: &Path) -> Result<Option<fs::Metadata>, LayoutError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(LayoutError::Symlink { path: path.to_owned() }),
        Ok(metadata) => Ok(Some(metadata)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(LayoutError::io("read", path, e)),
    }
}

/// A file's content, or `None` when there is none.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, LayoutError> {
    let Some(metadata) = check_link(path)? else { return Ok(None) };
    if !metadata.is_file() {
        return Err(LayoutError::WrongKind { path: path.to_owned(), wanted: "file" });
    }
    let failed = |e| LayoutError::io("read", path, e);
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        let what = format!("it has more than {limit} bytes");
        return Err(LayoutError::Corrupt { path: path.to_owned(), what });
    }
    Ok(Some(bytes))
}

/// Writes a file of a job's folder as a whole: readers see the old content or the new one, also after a crash.
pub(super) fn write(folder: &Path, target: &Path, content: &[u8]) -> Result<(), LayoutError> {
    let (temporary, mut file) = Temporary::create(folder)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(|e| LayoutError::io("write", target, e))?;
    temporary.place(target)
}

/// Makes the names in a folder survive a crash.
pub(super) fn sync_folder(folder: &Path) -> Result<(), LayoutError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| LayoutError::io("write", folder, e))
}
