//! `orcaops jobs`: looking at jobs.

mod files;
mod list;
mod logs;
mod status;

use crate::args::{JobsArgs, JobsCommand};
use crate::exit;
use crate::failure::Failure;
use crate::session::{Need, Session};
use crate::settings::Settings;

pub(super) async fn run(args: JobsArgs, settings: &Settings) -> Result<u8, Failure> {
    if args.command.is_some() && !args.list.is_empty() {
        let text = "--status and --limit are for the list of jobs; leave them out here";
        return Err(Failure::Usage(text.to_owned()));
    }
    let session = Session::open(settings, Need::Looking).await?;
    let done = look(&session, args).await;
    session.close(None).await;
    done.map(|()| exit::SUCCESS)
}

async fn look(session: &Session, args: JobsArgs) -> Result<(), Failure> {
    let (client, json) = (&session.client, args.json);
    match args.command {
        None => list::run(client, &args.list, json).await,
        Some(JobsCommand::Status { id }) => status::show(client, &id, json).await,
        Some(JobsCommand::Cancel { id }) => status::cancel(client, &id, json).await,
        Some(JobsCommand::Logs(logs)) => logs::run(client, &logs, json).await,
        Some(JobsCommand::Artifacts { id }) => files::list(client, &id, json).await,
        Some(JobsCommand::Download { id, file, directory }) => {
            files::download(client, &id, &file, &directory, json).await
        }
    }
}
