//! The system calls that the standard library gives no safe form of. The program's only `unsafe` is here.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use libc::c_int;

/// What the kernel's out-of-memory killer adds to a step's claim on it: in need it takes the job's processes
/// before init, which alone can tell what happened.
const STEP_OOM_SCORE: &[u8] = b"500";

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Makes reads and writes of `fd` return at once.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: `fd` is open for as long as it is borrowed, and these commands touch no memory of ours.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

/// How many bytes can be read from a pipe right now.
pub(crate) fn bytes_waiting(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: c_int = 0;
    // SAFETY: FIONREAD writes one `int`, to which the pointer leads for the length of the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Hides this process' memory and open files from the job's processes, which run as the same user: what they
/// write to `/proc/1/fd/1` would end up between frames.
pub(crate) fn hide_from_peers() -> io::Result<()> {
    // SAFETY: PR_SET_DUMPABLE takes one integer and touches no memory of ours.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) })?;
    Ok(())
}

/// Waits for several descriptors at once.
#[derive(Default)]
pub(crate) struct Poll {
    fds: Vec<libc::pollfd>,
}

impl Poll {
    pub(crate) fn clear(&mut self) {
        self.fds.clear();
    }

    /// Watches for something to read; returns where to ask for the answer.
    pub(crate) fn readable(&mut self, fd: BorrowedFd<'_>) -> usize {
        self.watch(fd, libc::POLLIN)
    }

    /// Watches for room to write; returns where to ask for the answer.
    pub(crate) fn writable(&mut self, fd: BorrowedFd<'_>) -> usize {
        self.watch(fd, libc::POLLOUT)
    }

    fn watch(&mut self, fd: BorrowedFd<'_>, events: libc::c_short) -> usize {
        self.fds.push(libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 });
        self.fds.len() - 1
    }

    /// Waits until one is ready, or for `timeout`; forever without one.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // Rounded up, or the last millisecond before a deadline would be spent spinning.
        let timeout =
            timeout.map_or(-1, |t| c_int::try_from(t.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX));
        // SAFETY: pointer and count describe a vector that lives and is not touched during the call.
        let result =
            check(unsafe { libc::poll(self.fds.as_mut_ptr(), self.fds.len() as libc::nfds_t, timeout) });
        match result {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Whether that descriptor is ready, or broken, which the next read or write tells.
    pub(crate) fn is_ready(&self, index: usize) -> bool {
        self.fds.get(index).is_some_and(|f| f.revents != 0)
    }
}

/// A signal that came.
pub(crate) struct Signal {
    pub(crate) number: c_int,
    /// Whether it came from outside the container: from the engine, not from a process of the job.
    pub(crate) from_outside: bool,
}

/// Signals, received as something to read.
pub(crate) struct Signals {
    fd: OwnedFd,
}

impl Signals {
    /// Receives `numbers` here from now on and nowhere else.
    pub(crate) fn open(numbers: &[c_int]) -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises the set before anything reads it; the pointers lead to live locals.
        let fd = unsafe {
            check(libc::sigemptyset(set.as_mut_ptr()))?;
            for number in numbers {
                check(libc::sigaddset(set.as_mut_ptr(), *number))?;
            }
            check(libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()))?;
            check(libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?
        };
        // SAFETY: the descriptor was opened just now and belongs to nobody else.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.fd.as_fd()
    }

    /// The next signal that waits.
    pub(crate) fn next(&self) -> io::Result<Option<Signal>> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the pointer leads to `size` writable bytes, and any bytes make a valid signalfd_siginfo.
        let (count, info) =
            unsafe { (libc::read(self.fd.as_raw_fd(), info.as_mut_ptr().cast(), size), info.assume_init()) };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
        }
        let number = c_int::try_from(info.ssi_signo).unwrap_or(0);
        Ok((usize::try_from(count) == Ok(size)).then_some(Signal { number, from_outside: info.ssi_pid == 0 }))
    }
}

/// A child that ended, with what it and those that it had waited for used.
pub(crate) struct Reaped {
    pub(crate) pid: u32,
    pub(crate) status: ExitStatus,
    pub(crate) cpu_us: u64,
    pub(crate) max_rss_bytes: u64,
}

/// What there is to reap.
pub(crate) enum Reap {
    Ended(Reaped),
    StillRunning,
    NoChildren,
}

/// Reaps any child, adopted ones too, without waiting.
pub(crate) fn reap() -> io::Result<Reap> {
    let mut status: c_int = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers lead to live locals, and all zeroes are a valid rusage when wait4 fills nothing in.
    let (pid, usage) =
        unsafe { (libc::wait4(-1, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()), usage.assume_init()) };
    match pid {
        0 => Ok(Reap::StillRunning),
        -1 => {
            let error = io::Error::last_os_error();
            if error.raw_os_error() == Some(libc::ECHILD) { Ok(Reap::NoChildren) } else { Err(error) }
        }
        pid => Ok(Reap::Ended(Reaped {
            pid: pid.unsigned_abs(),
            status: ExitStatus::from_raw(status),
            cpu_us: micros(usage.ru_utime) + micros(usage.ru_stime),
            max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        })),
    }
}

fn micros(time: libc::timeval) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
}

/// Signals every process of the container but this one.
///
/// Nothing there to signal is no error, nor are processes that belong to another user and may not be
/// signalled: who asks looks at what is left.
pub(crate) fn signal_all(number: c_int) {
    // SAFETY: kill touches no memory of ours. -1 would reach beyond the container only if this were not PID 1
    // of a namespace of its own, which `main` makes sure of.
    unsafe { libc::kill(-1, number) };
}

/// Whom a process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
}

/// Makes the step a process like any other: with a session of its own, with no signals blocked as init has
/// them (the standard library resets SIGPIPE, but not the mask), and as a better victim of the out-of-memory
/// killer than init is. With `ids` it becomes another user's, last of all.
pub(crate) fn set_apart(command: &mut Command, ids: Option<Ids>) {
    // SAFETY: between fork and exec the closure makes only async-signal-safe calls and allocates nothing. The
    // descriptor that it opens is closed again; the pointers lead to constants and to a set that sigemptyset
    // has initialised.
    unsafe {
        command.pre_exec(move || {
            check(libc::setsid())?;
            let mut none = MaybeUninit::<libc::sigset_t>::uninit();
            check(libc::sigemptyset(none.as_mut_ptr()))?;
            check(libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()))?;
            // Until exec the child is as hidden as init, and may not even write its own score.
            libc::prctl(libc::PR_SET_DUMPABLE, 1);
            let fd = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            if fd >= 0 {
                libc::write(fd, STEP_OOM_SCORE.as_ptr().cast(), STEP_OOM_SCORE.len());
                libc::close(fd);
            }
            if let Some(ids) = &ids {
                check(libc::setgroups(ids.groups.len(), ids.groups.as_ptr()))?;
                check(libc::setgid(ids.gid))?;
                check(libc::setuid(ids.uid))?;
            }
            Ok(())
        });
    }
}

/// Opens `name` in the folder `dir`; `O_CLOEXEC` is added.
pub(crate) fn open_at(dir: BorrowedFd<'_>, name: &CStr, flags: c_int, mode: u32) -> io::Result<OwnedFd> {
    // SAFETY: `name` ends with a NUL and outlives the call, and `dir` is open.
    let fd = check(unsafe {
        libc::openat(dir.as_raw_fd(), name.as_ptr(), flags | libc::O_CLOEXEC, mode as libc::c_uint)
    })?;
    // SAFETY: the descriptor was opened just now and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes the folder `name` in the folder `dir`.
pub(crate) fn make_dir_at(dir: BorrowedFd<'_>, name: &CStr, mode: u32) -> io::Result<()> {
    // SAFETY: `name` ends with a NUL and outlives the call, and `dir` is open.
    check(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), mode) })?;
    Ok(())
}

/// Makes the symbolic link `name` in the folder `dir`.
pub(crate) fn symlink_at(target: &CStr, dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: both texts end with a NUL and outlive the call, and `dir` is open.
    check(unsafe { libc::symlinkat(target.as_ptr(), dir.as_raw_fd(), name.as_ptr()) })?;
    Ok(())
}

/// Gives `name` in the folder `dir` to another user and group; a link itself, not what it leads to.
pub(crate) fn chown_at(dir: BorrowedFd<'_>, name: &CStr, uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: `name` ends with a NUL and outlives the call, and `dir` is open.
    check(unsafe { libc::fchownat(dir.as_raw_fd(), name.as_ptr(), uid, gid, libc::AT_SYMLINK_NOFOLLOW) })?;
    Ok(())
}

/// Removes the file or link `name` from the folder `dir`.
pub(crate) fn unlink_at(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: `name` ends with a NUL and outlives the call, and `dir` is open.
    check(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), 0) })?;
    Ok(())
}
