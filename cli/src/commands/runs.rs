//! `orcaops runs`: records of runs as a whole.

use orcaops_common::import::{Importer, Item, LeftOut, Outcome};
use orcaops_common::layout::RunLayout;
use serde_json::{Value, json};

use crate::args::{ImportArgs, RunsArgs, RunsCommand};
use crate::exit;
use crate::failure::Failure;
use crate::output::{print, print_json, table};
use crate::settings::Settings;
use crate::wiring;

pub(super) async fn run(args: RunsArgs, settings: &Settings) -> Result<u8, Failure> {
    let RunsCommand::Import(args) = args.command;
    import(&args, settings).await
}

async fn import(args: &ImportArgs, settings: &Settings) -> Result<u8, Failure> {
    if let Some(url) = &settings.layer().url {
        return Err(Failure::Usage(format!(
            "`orcaops runs import` writes to a database and a folder itself and can't do so on the server {url}; leave \
             out --server and ORCAOPS_URL, and run it where the API's home folder is"
        )));
    }
    let store = wiring::store(settings).await?;
    let layout = RunLayout::new(settings.home().artifacts());
    let mut items = Vec::new();
    let ended = Importer::new(store, layout, &args.folder)?.run(|item| items.push(item)).await;
    // What was done until then is told also when the rest could not be.
    if args.json {
        print_json(&items.iter().map(as_json).collect::<Vec<_>>())?;
    } else {
        print(&table::imports(&items))?;
    }
    ended?;
    Ok(if items.iter().all(Item::is_whole) { exit::SUCCESS } else { exit::INCOMPLETE })
}

fn as_json(item: &Item) -> Value {
    let left = |l: &LeftOut| json!({ "path": l.path, "reason": l.reason });
    match &item.outcome {
        Outcome::Imported { artifacts, left_out } => json!({
            "job_id": item.job, "result": "imported", "artifacts": artifacts,
            "left_out": left_out.iter().map(left).collect::<Vec<_>>(),
        }),
        Outcome::Known => json!({ "job_id": item.job, "result": "passed_over" }),
        Outcome::Failed(reason) => json!({ "job_id": item.job, "result": "failed", "reason": reason }),
    }
}
