//! The product's own processes, started as a user would start them.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::wait::until;

/// How long a process that is dropped may take to end by itself.
const END_PATIENCE: Duration = Duration::from_secs(10);
const END_POLL: Duration = Duration::from_millis(20);

/// The program under test: `orcaops` with its fail points built in, which cargo puts beside the tests.
fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let folder = own.parent().unwrap_or(Path::new("."));
    // Tests lie one folder deeper than programs.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    folder.join("orcaops-under-test")
}

/// A running `orcaops`. Ended when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `orcaops` with these arguments and nothing of this process' own settings. What it prints goes to
    /// the file `log`.
    pub fn start(args: &[&str], env: &[(&str, &str)], log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let child = command(args, env)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", program().display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends it a signal by name, for example `TERM` or `STOP`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status()?;
        if !status.success() {
            bail!("cannot send {name} to process {}", self.id());
        }
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self, within: Duration) -> Result<ExitStatus> {
        let mut status = None;
        until("the process ends", within, async || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        })
        .await
        .with_context(|| self.log())?;
        status.context("no status")
    }

    /// Its resident memory now and at its highest, in KiB.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let field = |name: &str| {
            status
                .lines()
                .find_map(|l| l.strip_prefix(name))
                .and_then(|l| l.trim().trim_end_matches(" kB").parse().ok())
                .with_context(|| format!("no {name}"))
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }
}

/// It is asked to end first, as an operator would: one that is killed while the engine makes a container for it can't
/// remove that any more.
impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.signal("TERM");
            let asked = Instant::now();
            while self.is_running() && asked.elapsed() < END_PATIENCE {
                std::thread::sleep(END_POLL);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.log.display(), self.log());
        }
    }
}

/// `orcaops` with these arguments, ready to be run to its end.
pub fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("ORCAOPS_")) {
        command.env_remove(name);
    }
    command.args(args).envs(env.iter().copied()).env("NO_COLOR", "1");
    command
}

/// The ids of this machine's processes that have `mark` in their command line, in containers and outside.
pub fn processes_with(mark: &str) -> Vec<u32> {
    let folders = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = folders.filter_map(|f| f.file_name().to_str()?.parse().ok());
    ids.filter(|id| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    })
    .collect()
}

/// A port that nobody listens on now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
