//! Input files, made below the working folder and nowhere else.

use std::ffi::CString;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use orcaops_init::message::{InputEntry, InputLink, InputsDone};

use crate::output::clip;
use crate::sys::{self, Ids};
use crate::user::User;

/// The permission bits that an input may have: no set-user-id and its like.
const MODE_BITS: u32 = 0o777;
/// What init may always do with its own input folders, or it could not fill them.
const OWNER_BITS: u32 = 0o700;
/// The permission bits of folders that no input names.
const IMPLIED_FOLDER: u32 = 0o755;
/// The most bytes of an explanation.
const MAX_REASON: usize = 4096;

/// An input that could not be made, and whether for want of space.
struct Failure {
    reason: String,
    disk_full: bool,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let disk_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let reason = match error.raw_os_error() {
            Some(libc::ELOOP | libc::ENOTDIR) => "its path goes through a link or a file".to_owned(),
            _ => error.to_string(),
        };
        Self { reason, disk_full }
    }
}

fn refuse<T>(reason: &str) -> Result<T, Failure> {
    Err(Failure { reason: reason.to_owned(), disk_full: false })
}

/// Makes inputs until the first failure, which it keeps.
pub(crate) struct Inputs {
    workdir: PathBuf,
    /// Whom they are given to, where init is root and others are to have them.
    owner: Option<Ids>,
    failure: Option<Failure>,
    /// The file that data goes to, with its path. It is there without a file after a failure.
    current: Option<(String, Option<File>)>,
}

impl Inputs {
    /// `owner` is the user that they belong to, if not init's own.
    pub(crate) fn new(workdir: PathBuf, owner: Option<&str>) -> Self {
        let mut inputs = Self { workdir, owner: None, failure: None, current: None };
        match owner.map(User::find).transpose() {
            Ok(user) => inputs.owner = user.map(|user| user.ids()),
            Err(reason) => {
                let folder = inputs.workdir.display().to_string();
                inputs.keep(&folder, Failure { reason, disk_full: false });
            }
        }
        inputs
    }

    /// Makes the working folder where it is missing.
    pub(crate) fn make_workdir(&mut self) {
        let folder = self.workdir.display().to_string();
        self.attempt(&folder, |inputs| {
            if inputs.workdir.is_dir() {
                return Ok(());
            }
            std::fs::create_dir_all(&inputs.workdir)?;
            if let Some(owner) = &inputs.owner {
                std::os::unix::fs::chown(&inputs.workdir, Some(owner.uid), Some(owner.gid))?;
            }
            Ok(())
        });
    }

    pub(crate) fn directory(&mut self, entry: &InputEntry) {
        self.current = None;
        self.attempt(&entry.path, |inputs| {
            let mut folder = inputs.open_workdir()?;
            for name in components(&entry.path)? {
                folder = inputs.enter(&folder, &name)?;
            }
            let folder = sys::open_at(folder.as_fd(), c".", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
            File::from(folder)
                .set_permissions(Permissions::from_mode(entry.mode & MODE_BITS | OWNER_BITS))?;
            Ok(())
        });
    }

    pub(crate) fn file(&mut self, entry: &InputEntry) {
        let mut file = None;
        self.attempt(&entry.path, |inputs| {
            let (folder, name) = inputs.parent(&entry.path)?;
            // O_NONBLOCK: a pipe of that name must not stop init.
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_NOFOLLOW | libc::O_NONBLOCK;
            let opened = File::from(sys::open_at(folder.as_fd(), &name, flags, OWNER_BITS)?);
            if !opened.metadata()?.is_file() {
                return refuse("something that is not a file has its name");
            }
            opened.set_len(0)?;
            // Before the mode: a change of owner takes bits away.
            inputs.give(&folder, &name)?;
            opened.set_permissions(Permissions::from_mode(entry.mode & MODE_BITS))?;
            file = Some(opened);
            Ok(())
        });
        self.current = Some((entry.path.clone(), file));
    }

    /// The error is the worker's: there is no file that the data could belong to.
    pub(crate) fn data(&mut self, data: &[u8]) -> Result<(), String> {
        let Some((path, file)) = &mut self.current else {
            return Err("the worker sent an input's data before the input".to_owned());
        };
        if let Some(open) = file
            && let Err(error) = open.write_all(data)
        {
            let path = path.clone();
            *file = None;
            self.keep(&path, error.into());
        }
        Ok(())
    }

    pub(crate) fn link(&mut self, link: &InputLink) {
        self.current = None;
        self.attempt(&link.path, |inputs| {
            let depth = components(&link.path)?.len() - 1;
            check_target(&link.target, depth, &inputs.workdir)?;
            let (folder, name) = inputs.parent(&link.path)?;
            let Ok(target) = CString::new(link.target.as_bytes()) else {
                return refuse("its target holds a NUL byte");
            };
            match sys::symlink_at(&target, folder.as_fd(), &name) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    sys::unlink_at(folder.as_fd(), &name)?;
                    sys::symlink_at(&target, folder.as_fd(), &name)?;
                }
                other => other?,
            }
            inputs.give(&folder, &name)?;
            Ok(())
        });
    }

    /// All have been sent: what went wrong first, which is then forgotten.
    pub(crate) fn end(&mut self) -> InputsDone {
        self.current = None;
        let failure = self.failure.take();
        InputsDone {
            disk_full: failure.as_ref().is_some_and(|f| f.disk_full),
            error: failure.map(|f| clip(f.reason, MAX_REASON)),
        }
    }

    fn attempt(&mut self, path: &str, make: impl FnOnce(&mut Self) -> Result<(), Failure>) {
        if self.failure.is_none()
            && let Err(failure) = make(self)
        {
            self.keep(path, failure);
        }
    }

    fn keep(&mut self, path: &str, failure: Failure) {
        let reason = format!("the input {path} cannot be made: {}", failure.reason);
        self.failure.get_or_insert(Failure { reason, ..failure });
    }

    /// The working folder itself may be reached through links: the job's spec names it, no input does.
    fn open_workdir(&self) -> io::Result<OwnedFd> {
        let mut options = File::options();
        options.read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY);
        options.open(&self.workdir).map(OwnedFd::from)
    }

    /// The folder that `path` ends in, made where it is missing, and the last name.
    fn parent(&self, path: &str) -> Result<(OwnedFd, CString), Failure> {
        let mut names = components(path)?;
        let Some(last) = names.pop() else { return refuse("it names no file") };
        let mut folder = self.open_workdir()?;
        for name in names {
            folder = self.enter(&folder, &name)?;
        }
        Ok((folder, last))
    }

    /// Opens a folder that is a folder and not a link, after making it where it is missing.
    fn enter(&self, folder: &OwnedFd, name: &CString) -> io::Result<OwnedFd> {
        match sys::make_dir_at(folder.as_fd(), name, IMPLIED_FOLDER) {
            Ok(()) => self.give(folder, name)?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
        sys::open_at(folder.as_fd(), name, libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW, 0)
    }

    /// Gives what was made to its owner.
    fn give(&self, folder: &OwnedFd, name: &CString) -> io::Result<()> {
        self.owner.as_ref().map_or(Ok(()), |ids| sys::chown_at(folder.as_fd(), name, ids.uid, ids.gid))
    }
}

/// The names in a relative path.
fn components(path: &str) -> Result<Vec<CString>, Failure> {
    let mut names = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => match CString::new(name.as_encoded_bytes()) {
                Ok(name) => names.push(name),
                Err(_) => return refuse("its path holds a NUL byte"),
            },
            _ => return refuse("its path leads out of the working folder"),
        }
    }
    if names.is_empty() { refuse("its path is empty") } else { Ok(names) }
}

/// Whether a link that lies `depth` folders below the working folder stays inside.
///
/// `..` counts only at the start, where it climbs from folders that are known to be no links. After a name it
/// could climb from wherever a link of that name leads.
fn check_target(target: &str, depth: usize, workdir: &Path) -> Result<(), Failure> {
    let target = Path::new(target);
    let (inside, mut climbs) = match target.strip_prefix(workdir) {
        Ok(inside) if target.is_absolute() => (inside, 0),
        _ => (target, depth),
    };
    let mut at_start = true;
    for component in inside.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(_) => at_start = false,
            Component::ParentDir if at_start && climbs > 0 => climbs -= 1,
            _ => return refuse("the link leads out of the working folder"),
        }
    }
    if target.as_os_str().is_empty() { refuse("the link has no target") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> (tempfile::TempDir, Inputs) {
        let folder = tempfile::tempdir().unwrap();
        let inputs = Inputs::new(folder.path().join("work"), None);
        std::fs::create_dir(folder.path().join("work")).unwrap();
        (folder, inputs)
    }

    fn entry(path: &str, mode: u32) -> InputEntry {
        InputEntry { path: path.to_owned(), mode }
    }

    fn link(path: &str, target: &str) -> InputLink {
        InputLink { path: path.to_owned(), target: target.to_owned() }
    }

    #[test]
    fn files_folders_and_links_are_made_with_their_modes() {
        let (folder, mut inputs) = inputs();
        inputs.directory(&entry("a/b", 0o2750));
        inputs.file(&entry("c/d/run.sh", 0o4755));
        inputs.data(b"one ").unwrap();
        inputs.data(b"two").unwrap();
        inputs.link(&link("c/link", "../a/b"));
        assert_eq!(inputs.end(), InputsDone { error: None, disk_full: false });
        let work = folder.path().join("work");
        let mode = |p: &str| std::fs::metadata(work.join(p)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("a/b"), mode("c/d/run.sh"), mode("c")), (0o750, 0o755, 0o755));
        assert_eq!(std::fs::read_to_string(work.join("c/d/run.sh")).unwrap(), "one two");
        assert!(std::fs::metadata(work.join("c/link")).unwrap().is_dir());
    }

    #[test]
    fn a_file_replaces_a_longer_one() {
        let (folder, mut inputs) = inputs();
        for text in [b"a long text".as_slice(), b"short"] {
            inputs.file(&entry("f", 0o600));
            inputs.data(text).unwrap();
        }
        assert_eq!(inputs.end().error, None);
        assert_eq!(std::fs::read_to_string(folder.path().join("work/f")).unwrap(), "short");
    }

    #[test]
    fn nothing_is_made_outside_of_the_working_folder() {
        for path in ["../x", "/x", "a/../../x", "", "."] {
            let (_folder, mut inputs) = inputs();
            inputs.file(&entry(path, 0o644));
            inputs.data(b"dropped").unwrap();
            assert!(inputs.end().error.unwrap().contains(&format!("the input {path} cannot be made")));
        }
        let (folder, mut inputs) = inputs();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("work/out")).unwrap();
        inputs.file(&entry("out/x", 0o644));
        assert!(inputs.end().error.unwrap().contains("through a link"));
        std::os::unix::fs::symlink(folder.path().join("y"), folder.path().join("work/y")).unwrap();
        inputs.file(&entry("y", 0o644));
        assert!(inputs.end().error.unwrap().contains("through a link"));
        assert!(!folder.path().join("x").exists() && !folder.path().join("y").exists());
    }

    #[test]
    fn links_that_lead_out_are_refused() {
        let work = Path::new("/work");
        for (target, depth) in [
            ("..", 0),
            ("../..", 1),
            ("/etc/passwd", 3),
            ("a/../..", 1),
            ("a/..", 1),
            ("/work/../etc", 0),
            ("", 0),
        ] {
            assert!(check_target(target, depth, work).is_err(), "{target} at {depth}");
        }
        for (target, depth) in [("..", 1), ("../../b", 2), ("./a/b", 0), ("/work/a", 0), ("/work", 0)] {
            assert!(check_target(target, depth, work).is_ok(), "{target} at {depth}");
        }
    }

    #[test]
    fn only_the_first_failure_is_told() {
        let (_folder, mut inputs) = inputs();
        inputs.file(&entry("/first", 0o644));
        inputs.file(&entry("/second", 0o644));
        assert!(inputs.end().error.unwrap().contains("/first"));
    }

    #[test]
    fn data_without_a_file_is_a_broken_protocol() {
        let (_folder, mut inputs) = inputs();
        assert!(inputs.data(b"x").is_err());
        inputs.file(&entry("f", 0o644));
        inputs.directory(&entry("d", 0o755));
        assert!(inputs.data(b"x").is_err());
    }
}
