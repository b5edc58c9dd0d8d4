//! What a job has printed.

use std::io::ErrorKind;

use orcaops_common::domain::id::JobId;

use crate::args::LogsArgs;
use crate::client::{Client, Line, LogEvent, LogReader, LogSoFar};
use crate::failure::Failure;
use crate::output::log::LogPrinter;

pub(super) async fn run(client: &Client, args: &LogsArgs, json: bool) -> Result<(), Failure> {
    let mut copy = Copy { printer: LogPrinter::new(), json };
    let copied = if args.follow { copy.follow(client, args).await } else { copy.so_far(client, args).await };
    match copied.and_then(|()| copy.printer.flush().map_err(Failure::Output)) {
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        copied => copied,
    }
}

struct Copy {
    printer: LogPrinter,
    json: bool,
}

impl Copy {
    async fn follow(&mut self, client: &Client, args: &LogsArgs) -> Result<(), Failure> {
        known(client, &args.id).await?;
        let mut reader = LogReader::new(client.clone(), args.id.as_str(), args.selection());
        while let LogEvent::Line(line) = reader.next().await? {
            self.line(&line)?;
            if !reader.has_ready() {
                self.printer.flush().map_err(Failure::Output)?;
            }
        }
        Ok(())
    }

    async fn so_far(&mut self, client: &Client, args: &LogsArgs) -> Result<(), Failure> {
        let mut log = LogSoFar::open(client, args.id.as_str(), &args.selection()).await?;
        while let Some(line) = log.next().await? {
            self.line(&line)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<(), Failure> {
        let Self { printer, json } = self;
        if *json { printer.json(line) } else { printer.line(line) }.map_err(Failure::Output)
    }
}

/// Fails at once where there is no server, or no such job. Once a log is followed, a server that is away is waited
/// for.
async fn known(client: &Client, job: &JobId) -> Result<(), Failure> {
    client.status(job.as_str()).await?;
    Ok(())
}
