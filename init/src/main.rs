//! PID 1 of a job's container: runs its steps, and tells the worker about them in frames over standard input
//! and output.
//!
//! One thread and one loop. It ends, and with it everything in the container, when the worker says so, when
//! its input ends, or when the worker has been silent for longer than the lease. The lease is its only argument, in
//! milliseconds: it holds before anything has been said.

mod artifact;
mod input;
mod oom;
mod output;
mod process;
mod server;
mod step;
mod sys;
mod user;

use std::process::ExitCode;
use std::time::Duration;

use server::{Leave, Server};

/// The exit code for everything that is init's or its worker's fault, not the job's.
const OWN_FAILURE: u8 = 125;

fn main() -> ExitCode {
    // Init signals every process that it can see: anywhere but in its own container that is the whole machine.
    if std::process::id() != 1 {
        eprintln!("orcaops-init: runs only as PID 1 of a container, where a worker starts it");
        return ExitCode::from(OWN_FAILURE);
    }
    let Some(lease) = lease() else {
        eprintln!("orcaops-init: wants one argument: how many milliseconds its worker may be silent");
        return ExitCode::from(OWN_FAILURE);
    };
    let server = match sys::hide_from_peers().and_then(|()| Server::open(lease)) {
        Ok(server) => server,
        Err(error) => {
            eprintln!("orcaops-init: cannot start: {error}");
            return ExitCode::from(OWN_FAILURE);
        }
    };
    let leave = server.run();
    match leave {
        Leave::Asked => ExitCode::SUCCESS,
        Leave::Abandoned | Leave::Fatal(_) => ExitCode::from(OWN_FAILURE),
    }
}

fn lease() -> Option<Duration> {
    let mut arguments = std::env::args_os().skip(1);
    let lease = arguments.next()?.to_str()?.parse().ok()?;
    arguments.next().is_none().then_some(Duration::from_millis(lease))
}
