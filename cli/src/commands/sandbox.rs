//! `orcaops sandbox`: jobs that are kept under a name.

use orcaops_common::domain::id::JobId;

use super::job::{Wishes, see_to_its_end};
use crate::args::{FileArgs, SandboxArgs, SandboxCommand, SandboxRunArgs};
use crate::exit;
use crate::failure::Failure;
use crate::output::{print, table, words};
use crate::sandbox_file::Loaded;
use crate::session::{Need, Session};
use crate::settings::Settings;

pub(super) async fn run(args: SandboxArgs, settings: &Settings) -> Result<u8, Failure> {
    match args.command {
        SandboxCommand::List { file } => list(&file),
        SandboxCommand::Validate { file } => validate(&file),
        SandboxCommand::Run(args) => run_one(*args, settings).await,
    }
}

fn list(file: &FileArgs) -> Result<u8, Failure> {
    let loaded = Loaded::read(file)?;
    for problem in loaded.problems() {
        words::say(&problem);
    }
    print(&table::sandboxes(&loaded.file.sandboxes))?;
    Ok(exit::SUCCESS)
}

fn validate(file: &FileArgs) -> Result<u8, Failure> {
    let loaded = Loaded::read(file)?;
    let problems = loaded.problems();
    for problem in &problems {
        words::say(problem);
    }
    let usable = loaded.file.sandboxes.len();
    let wrong = match problems.len() {
        0 => "nothing is wrong".to_owned(),
        1 => "1 thing is wrong".to_owned(),
        n => format!("{n} things are wrong"),
    };
    print(&format!("{wrong}; sandboxes that can be used: {usable}\n"))?;
    Ok(if problems.is_empty() { exit::SUCCESS } else { exit::NOT_VALID })
}

async fn run_one(args: SandboxRunArgs, settings: &Settings) -> Result<u8, Failure> {
    let loaded = Loaded::read(&args.file)?;
    let mut spec = loaded.job(&args, |name| std::env::var(name).ok())?;
    let job = spec.job_id.get_or_insert_with(JobId::generate).clone();
    let session = Session::open(settings, Need::RunningOwn(Box::new(spec.clone()))).await?;
    let client = &session.client;
    let wishes = Wishes { follow: args.follow, json: args.json, detach: false, download: None };
    let mut interrupt = None;
    let ended =
        see_to_its_end(client, &job, &wishes, async || client.submit(&spec).await, &mut interrupt).await;
    session.close(Some(&job)).await;
    ended
}
