//! What each command does.

mod api;
mod build;
mod dev;
mod health;
mod job;
mod jobs;
mod ps;
mod pulse;
mod run;
mod runs;
mod sandbox;
mod watch;
mod worker;

use orcaops_common::telemetry::{self, Format};

use crate::args::Command;
use crate::exit;
use crate::failure::Failure;
use crate::output::print;
use crate::settings::Settings;

/// What services log when nothing is said.
const SERVICE_LOG: &str = "info";
/// What clients log when nothing is said: their answers are what they have to say.
const CLIENT_LOG: &str = "warn,sqlx=error";

/// Chooses what is logged, and how.
pub(crate) fn init_telemetry(command: &Command, settings: &Settings) -> Result<(), Failure> {
    let service = matches!(command, Command::Dev(_) | Command::Api(_) | Command::Worker(_));
    let (default, format) = if service { (SERVICE_LOG, Format::Auto) } else { (CLIENT_LOG, Format::Human) };
    telemetry::init(settings.layer().log.as_deref().unwrap_or(default), format)?;
    Ok(())
}

/// Runs a command; its exit code.
pub(crate) async fn run(command: Command, settings: &Settings) -> Result<u8, Failure> {
    match command {
        Command::Run(args) => run::run(*args, settings).await,
        Command::Build(args) => build::run(*args, settings).await,
        Command::Jobs(args) => jobs::run(args, settings).await,
        Command::Ps(args) => ps::run(args, settings).await,
        Command::Sandbox(args) => sandbox::run(args, settings).await,
        Command::Runs(args) => runs::run(args, settings).await,
        Command::Dev(_) => dev::run(settings).await,
        Command::Api(_) => api::run(settings).await,
        Command::Worker(_) => worker::run(settings).await,
        Command::Version => {
            print(concat!("orcaops ", env!("CARGO_PKG_VERSION"), "\n"))?;
            Ok(exit::SUCCESS)
        }
        Command::Health(args) => health::run(args, settings).await,
    }
}
