//! Starting a step, and ending everything that runs.

use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use orcaops_init::message::{End, StepStart};

use crate::output::clip;
use crate::sys;
use crate::user::User;

/// How long killed processes may take to be gone before their end is no longer waited for.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// How often those that are left are killed again.
const KILL_INTERVAL: Duration = Duration::from_millis(100);
/// The exit code of a shell whose program was not found.
const NOT_FOUND: i32 = 127;
/// The exit code of a shell whose program could not be run.
const NOT_RUNNABLE: i32 = 126;
/// The most bytes of an explanation.
const MAX_REASON: usize = 4096;

/// A step's own process, and the ends of its pipes.
pub(crate) struct Started {
    pub(crate) pid: u32,
    pub(crate) stdout: PipeReader,
    pub(crate) stderr: PipeReader,
}

/// Starts a step's process. The error is the step's end.
pub(crate) fn start(step: &StepStart, workdir: &Path) -> Result<Started, End> {
    let Some((program, arguments)) = step.argv.split_first() else {
        return Err(not_started(NOT_RUNNABLE, "the step names no program".to_owned()));
    };
    let user = step.user.as_deref().map(User::find).transpose();
    let user = user.map_err(|reason| not_started(NOT_RUNNABLE, reason))?;
    let cwd = workdir.join(&step.cwd);
    // Entering the folder here and not in the child tells which of the two, folder or program, is at fault.
    // There is one thread, and nothing else of it depends on the folder it is in.
    std::env::set_current_dir(&cwd).map_err(|e| not_started(NOT_RUNNABLE, explain_folder(&cwd, &e)))?;
    let started = spawn(step, program, arguments, user.as_ref());
    let started = started.map_err(|e| explain(program, step, user.as_ref(), &e));
    let _ = std::env::set_current_dir("/");
    started
}

fn spawn(step: &StepStart, program: &str, arguments: &[String], user: Option<&User>) -> io::Result<Started> {
    let (stdout, stdout_writer) = io::pipe()?;
    let (stderr, stderr_writer) = io::pipe()?;
    sys::set_nonblocking(stdout.as_fd())?;
    sys::set_nonblocking(stderr.as_fd())?;
    let mut command = Command::new(program);
    if let Some(home) = user.and_then(|user| user.home.as_ref()) {
        command.env("HOME", home);
    }
    command
        .args(arguments)
        .envs(step.env.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .stdout(stdout_writer)
        .stderr(stderr_writer);
    sys::set_apart(&mut command, user.map(User::ids));
    // Dropping the handle neither waits nor kills: all children are reaped in one place.
    let child = command.spawn()?;
    Ok(Started { pid: child.id(), stdout, stderr })
}

fn not_started(code: i32, error: String) -> End {
    End::NotStarted { code, error: clip(error, MAX_REASON) }
}

fn explain_folder(cwd: &Path, error: &io::Error) -> String {
    let cwd = cwd.display();
    match error.kind() {
        io::ErrorKind::NotFound => format!("the working folder {cwd} does not exist"),
        io::ErrorKind::NotADirectory => format!("the working folder {cwd} is not a folder"),
        io::ErrorKind::PermissionDenied => format!("the working folder {cwd} may not be entered"),
        _ => format!("the working folder {cwd} cannot be entered: {error}"),
    }
}

fn explain(program: &str, step: &StepStart, user: Option<&User>, error: &io::Error) -> End {
    match user {
        // Nothing but a change of the user fails so.
        Some(user) if error.raw_os_error() == Some(libc::EPERM) => not_started(
            NOT_RUNNABLE,
            format!("it cannot run as user {}: the container itself does not run as root", user.uid),
        ),
        _ => explain_program(program, step, error),
    }
}

fn explain_program(program: &str, step: &StepStart, error: &io::Error) -> End {
    let (code, reason) = match error.kind() {
        io::ErrorKind::NotFound if program.contains('/') && Path::new(program).exists() => {
            (NOT_FOUND, format!("the interpreter that {program} needs does not exist"))
        }
        io::ErrorKind::NotFound if program.contains('/') => {
            (NOT_FOUND, format!("the program {program} does not exist"))
        }
        io::ErrorKind::NotFound => {
            let path = step.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
            let path = path.or_else(|| std::env::var("PATH").ok()).unwrap_or_default();
            (NOT_FOUND, format!("the program {program} does not exist in PATH ({path})"))
        }
        io::ErrorKind::PermissionDenied => (NOT_RUNNABLE, format!("the program {program} may not be run")),
        _ => (NOT_RUNNABLE, format!("the program {program} cannot be run: {error}")),
    };
    not_started(code, reason)
}

/// The ending of everything that runs: a polite signal, a grace, an impolite one.
pub(crate) struct Ending {
    kill_at: Instant,
    give_up_at: Option<Instant>,
}

/// How far an ending has come.
#[derive(PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something still runs.
    Waiting,
    /// Nothing runs any more.
    Done,
    /// What still runs can't be ended: it is stuck in the kernel, or belongs to another user.
    GivenUp,
}

impl Ending {
    /// Asks everything to end, and kills it after `grace`.
    pub(crate) fn begin(now: Instant, grace: Duration) -> Self {
        sys::signal_all(libc::SIGTERM);
        // A stopped process would not see the polite signal before the impolite one.
        sys::signal_all(libc::SIGCONT);
        Self { kill_at: now + grace, give_up_at: None }
    }

    /// A second reason to end: the shorter grace counts.
    pub(crate) fn hasten(&mut self, now: Instant, grace: Duration) {
        self.kill_at = self.kill_at.min(now + grace);
    }

    /// When to look again, should nothing end before.
    pub(crate) fn next_look(&self) -> Instant {
        self.kill_at
    }

    /// Does what is due. `childless` tells whether all children have been reaped: every process of the
    /// container is init's child or descends from one, those that the engine put there itself aside.
    pub(crate) fn advance(&mut self, now: Instant, childless: bool) -> Progress {
        if childless {
            return Progress::Done;
        }
        if self.give_up_at.is_some_and(|at| at <= now) {
            return Progress::GivenUp;
        }
        if self.kill_at <= now {
            sys::signal_all(libc::SIGKILL);
            self.give_up_at.get_or_insert(now + KILL_PATIENCE);
            self.kill_at = now + KILL_INTERVAL;
        }
        Progress::Waiting
    }
}
