//! `orcaops ps`: the containers that OrcaOps made.

use chrono::Utc;

use crate::args::PsArgs;
use crate::exit;
use crate::failure::Failure;
use crate::output::style::Style;
use crate::output::{print, print_json, table, words};
use crate::session::{Need, Session};
use crate::settings::Settings;

pub(super) async fn run(args: PsArgs, settings: &Settings) -> Result<u8, Failure> {
    let session = Session::open(settings, Need::Containers).await?;
    let listed = list(&session, &args).await;
    session.close(None).await;
    listed.map(|()| exit::SUCCESS)
}

async fn list(session: &Session, args: &PsArgs) -> Result<(), Failure> {
    let answer = session.client.containers(args.all, args.worker.as_ref()).await?;
    // Workers of other processes over this home folder can't be asked, and have no other host than this one.
    for worker in answer.is.silent_workers.iter().filter(|_| !session.is_own()) {
        words::say(&format!("worker {worker} did not answer; its containers are not listed"));
    }
    if answer.is.left_out > 0 {
        words::say(&format!("{} more containers are not listed", answer.is.left_out));
    }
    if args.json {
        return print_json(&answer.json);
    }
    print(&table::containers(&answer.is.containers, Utc::now(), Style::stdout()))
}
