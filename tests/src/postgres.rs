//! A real Postgres for tests, in a temporary folder and on a free port.
//!
//! It ends with the process that started it, however that process ends: a shell stands over it and reads from
//! a pipe that only this process holds open.

#![allow(clippy::expect_used, reason = "without the server its test has failed")]

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::process::free_port;

/// The system account that runs the server when the tests run as root, whom Postgres refuses.
const ACCOUNT: &str = "postgres";
const START_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Another process may take the port between its choice and its use.
const TRIES: usize = 3;

/// Starts the server given as arguments, and ends it and removes its folder when standard input ends.
const SUPERVISOR: &str = r#"
folder=$1; shift
"$@" >"$folder/log" 2>&1 &
server=$!
cat >/dev/null
kill -INT "$server" 2>/dev/null
wait "$server"
rm -rf "$folder"
"#;

/// A running server. It ends, and its folder goes, when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    supervisor: Child,
    /// Its end is the supervisor's sign; it is never written to.
    lifeline: Option<ChildStdin>,
}

static SHARED: OnceCell<Postgres> = OnceCell::const_new();

/// The one server of this test process.
pub async fn shared() -> &'static Postgres {
    SHARED.get_or_init(Postgres::start).await
}

/// The connection string of a new, empty database on the shared server.
pub async fn fresh_database() -> String {
    shared().await.create_database().await
}

impl Postgres {
    /// Starts a server for tests: quick, because nothing in it has to outlive the machine.
    ///
    /// # Panics
    /// Postgres is not installed, or does not start.
    pub async fn start() -> Self {
        Self::start_with(&["fsync=off", "full_page_writes=off"]).await
    }

    /// Starts a server that keeps what it has said to keep, as one in production would.
    ///
    /// # Panics
    /// Postgres is not installed, or does not start.
    pub async fn start_durable() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(settings: &[&str]) -> Self {
        let programs = programs();
        let mut said = String::new();
        for _ in 0..TRIES {
            let port = free_port().expect("a port is free");
            let folder = folder();
            initialize(&programs, folder.path());
            let folder = folder.keep();
            let mut server = Self::spawn(&programs, &folder, port, settings);
            match server.ready(&folder).await {
                Ok(()) => return server,
                Err(log) => said = log,
            }
        }
        panic!("Postgres did not start: {said}");
    }

    /// The connection string of a database of that name.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{ACCOUNT}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database, and gives its connection string.
    ///
    /// # Panics
    /// The server refuses.
    pub async fn create_database(&self) -> String {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&self.url("postgres")).await.expect("Postgres answers");
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        connection.execute(create).await.expect("Postgres makes a database");
        connection.close().await.expect("Postgres says goodbye");
        self.url(&name)
    }

    fn spawn(programs: &Path, folder: &Path, port: u16, settings: &[&str]) -> Self {
        let mut supervisor = Command::new("sh");
        supervisor.args(["-c", SUPERVISOR, "postgres-of-tests"]).arg(folder);
        supervisor.args(account_prefix()).arg(programs.join("postgres"));
        supervisor.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
        supervisor.arg("-k").arg(folder).args(["-h", "127.0.0.1"]);
        // Many cases connect at once.
        let common = [
            "max_connections=500",
            "shared_buffers=64MB",
            "shared_memory_type=mmap",
            "dynamic_shared_memory_type=mmap",
            "logging_collector=off",
        ];
        for setting in common.iter().chain(settings) {
            supervisor.args(["-c", setting]);
        }
        // A group of its own: an interrupt from the terminal would end the supervisor before its work.
        supervisor.process_group(0).current_dir(folder).stdin(Stdio::piped());
        supervisor.stdout(Stdio::null()).stderr(Stdio::null());
        let mut supervisor = supervisor.spawn().expect("a shell can be started");
        let lifeline = supervisor.stdin.take();
        Self { port, supervisor, lifeline }
    }

    async fn ready(&mut self, folder: &Path) -> Result<(), String> {
        let since = Instant::now();
        let url = self.url("postgres");
        let log = folder.join("log");
        loop {
            match PgConnection::connect(&url).await {
                Ok(connection) => {
                    let ours = serves_from(connection, folder).await;
                    return if ours { Ok(()) } else { Err("another server has its port".to_owned()) };
                }
                Err(_) if read(&log).contains("FATAL:  could not create any TCP/IP sockets") => {
                    return Err(read(&log));
                }
                Err(error) if since.elapsed() > START_WITHIN => {
                    return Err(format!("{error}\n{}", read(&log)));
                }
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.supervisor.wait();
    }
}

async fn serves_from(mut connection: PgConnection, folder: &Path) -> bool {
    let data: Result<String, _> =
        sqlx::query_scalar("SELECT current_setting('data_directory')").fetch_one(&mut connection).await;
    data.is_ok_and(|data| Path::new(&data) == folder.join("data"))
}

/// The folder of Postgres' programs.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let installed = versions.map(|v| v.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = installed
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("postgres").is_file() && folder.join("initdb").is_file());
    found.expect("Postgres is not installed; `make test` installs it, or put its `bin` folder on PATH")
}

fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("orcaops-pg-").tempdir().expect("a folder can be made");
    if let Some((user, group)) = account() {
        std::os::unix::fs::chown(&folder, Some(user), Some(group)).expect("root may give a folder away");
    }
    folder
}

fn initialize(programs: &Path, folder: &Path) {
    let mut command = as_account(programs.join("initdb"));
    command.arg("-D").arg(folder.join("data")).current_dir(folder);
    command.args(["-U", ACCOUNT, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]);
    let output = command.output().expect("initdb can be started");
    assert!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
}

fn as_account(program: PathBuf) -> Command {
    let mut words = account_prefix().into_iter();
    match words.next() {
        None => Command::new(program),
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(program);
            command
        }
    }
}

/// What runs a program as the account, and becomes it, so that the supervisor's child is the server itself.
fn account_prefix() -> Vec<String> {
    let Some((user, group)) = account() else { return Vec::new() };
    let prefix = ["setpriv", &format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups", "--"];
    prefix.map(str::to_owned).to_vec()
}

/// User and group that the server is to run as; `None` when the tests don't run as root.
fn account() -> Option<(u32, u32)> {
    (id(&["-u"])? == 0).then(|| {
        let found = id(&["-u", ACCOUNT]).zip(id(&["-g", ACCOUNT]));
        found.expect("there is no account `postgres`; `make test` installs Postgres, which makes it")
    })
}

fn id(args: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(args).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn read(log: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = std::fs::File::open(log) {
        let _ = file.read_to_string(&mut text);
    }
    text
}
