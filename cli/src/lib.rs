//! The command line: arguments, terminal output, client of the API, wiring of processes.
//!
//! Every command but the services talks to the API over HTTP. Where no server is named, `wiring` starts one
//! in this process over the home folder, so that the commands know no second way.

mod args;
mod client;
mod commands;
mod exit;
mod failure;
mod interrupt;
mod output;
mod sandbox_file;
mod session;
mod settings;
mod shutdown;
mod spec;
mod startup;
mod upload;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::failure::Failure;
use crate::settings::Settings;

/// Runs the command that the process' arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return answer(&said),
    };
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output::words::error(&failure);
            ExitCode::from(exit::OWN_FAILURE)
        }
    }
}

fn run(cli: Cli) -> Result<u8, Failure> {
    let settings = Settings::load(&cli)?;
    commands::init_telemetry(&cli.command, &settings)?;
    tracing::debug!(settings = ?settings.layer(), home = %settings.home().path().display(), "settings in effect");
    // A second installation would only say that there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::Runtime)?;
    let code = runtime.block_on(commands::run(cli.command, &settings));
    // What still runs has no say any more; a thread that waits for a terminal must not hold up the end.
    runtime.shutdown_background();
    code
}

/// Prints what the parser has to say: help and version are answers, all else is an error of use.
fn answer(said: &clap::Error) -> ExitCode {
    let printed = said.print();
    let code = if said.use_stderr() || printed.is_err() { exit::OWN_FAILURE } else { exit::SUCCESS };
    ExitCode::from(code)
}
