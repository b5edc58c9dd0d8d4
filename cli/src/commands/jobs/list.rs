//! The list of jobs.

use chrono::Utc;

use crate::args::ListArgs;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::style::Style;
use crate::output::{print, print_json, table};

pub(super) async fn run(client: &Client, args: &ListArgs, json: bool) -> Result<(), Failure> {
    let answer = client.list(args.status, args.limit()).await?;
    if json {
        return print_json(&answer.json);
    }
    print(&table::jobs(&answer.is.jobs, Utc::now(), Style::stdout()))
}
