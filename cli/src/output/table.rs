//! Lists.

use chrono::{DateTime, Utc};
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Color, Table};
use orcaops_common::domain::container::Container;
use orcaops_common::domain::job::JobCommand;
use orcaops_common::domain::run::{ArtifactMetadata, JobStatus, RunRecord};
use orcaops_common::domain::sandbox_file::Sandbox;
use orcaops_common::import::{Item, LeftOut, Outcome};

use super::measure;
use super::style::Style;
use super::words::harmless;

/// How much of a container's id is shown; the engine takes it for the whole.
const SHORT_ID: usize = 12;

/// A list of jobs.
pub(crate) fn jobs(records: &[RunRecord], now: DateTime<Utc>, style: Style) -> String {
    if records.is_empty() {
        return "no jobs\n".to_owned();
    }
    let mut table = table(["JOB ID", "STATUS", "IMAGE", "CREATED", "DURATION"]);
    if style.colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    for record in records {
        table.add_row([
            Cell::new(&record.job_id),
            Cell::new(record.status.as_str()).fg(colour(record.status)),
            Cell::new(record.image_ref.as_deref().unwrap_or_default()),
            Cell::new(measure::ago(record.created_at, now)),
            Cell::new(duration(record, now)),
        ]);
    }
    text(&table)
}

/// A list of containers.
pub(crate) fn containers(containers: &[Container], now: DateTime<Utc>, style: Style) -> String {
    if containers.is_empty() {
        return "no containers\n".to_owned();
    }
    let mut table = table(["CONTAINER", "JOB ID", "ATTEMPT", "IMAGE", "STATUS", "CREATED", "WORKER", "KEPT"]);
    if !style.colours {
        table.force_no_tty();
    }
    for container in containers {
        let kept = container.kept_until.map(|until| measure::between(now, until));
        table.add_row([
            container.id.chars().take(SHORT_ID).collect(),
            container.job_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            container.attempt.map(|number| number.to_string()).unwrap_or_default(),
            container.image.clone(),
            container.status.clone(),
            container.created_at.map(|at| measure::ago(at, now)).unwrap_or_default(),
            container.worker.to_string(),
            kept.map(|seconds| format!("for {}", measure::seconds(seconds))).unwrap_or_default(),
        ]);
    }
    text(&table)
}

/// A list of files.
pub(crate) fn artifacts(artifacts: &[ArtifactMetadata]) -> String {
    if artifacts.is_empty() {
        return "no artifacts\n".to_owned();
    }
    let mut table = table(["FILE", "SIZE", "SHA-256"]);
    if let Some(sizes) = table.column_mut(1) {
        sizes.set_cell_alignment(CellAlignment::Right);
    }
    for file in artifacts {
        table.add_row([
            harmless(&file.path).into_owned(),
            measure::bytes(file.size_bytes),
            file.sha256.clone(),
        ]);
    }
    text(&table)
}

/// A list of sandboxes.
pub(crate) fn sandboxes(sandboxes: &[Sandbox]) -> String {
    if sandboxes.is_empty() {
        return "no sandboxes\n".to_owned();
    }
    let mut table = table(["NAME", "IMAGE", "TIMEOUT", "CLEANUP", "PORTS", "COMMAND"]);
    table.force_no_tty();
    for sandbox in sandboxes {
        let ports: Vec<_> =
            sandbox.ports.iter().map(|(inside, outside)| format!("{outside}->{inside}")).collect();
        let command = sandbox.command.as_ref().map(|argv| JobCommand::argv(argv.iter().cloned()).display());
        table.add_row([
            sandbox.name.clone(),
            sandbox.image.clone(),
            measure::seconds(sandbox.timeout.into()),
            sandbox.cleanup_policy.as_str().to_owned(),
            ports.join(" "),
            command.map_or_else(|| "(the image's)".to_owned(), |command| super::summary::one_line(&command)),
        ]);
    }
    text(&table)
}

/// What became of runs that were to be imported, and how many went which way.
pub(crate) fn imports(items: &[Item]) -> String {
    if items.is_empty() {
        return "no runs\n".to_owned();
    }
    let mut table = table(["JOB ID", "RESULT", "FILES", "NOTES"]);
    let (mut imported, mut known, mut failed) = (0, 0, 0);
    for item in items {
        let row = match &item.outcome {
            Outcome::Imported { artifacts, left_out } => {
                imported += 1;
                let note = |l: &LeftOut| format!("{} left out: {}", l.path, l.reason);
                let notes = left_out.iter().map(note).collect::<Vec<_>>().join("\n");
                ["imported".to_owned(), artifacts.to_string(), notes]
            }
            Outcome::Known => {
                known += 1;
                ["passed over".to_owned(), String::new(), "it is there already".to_owned()]
            }
            Outcome::Failed(reason) => {
                failed += 1;
                ["failed".to_owned(), String::new(), reason.clone()]
            }
        };
        table.add_row([item.job.clone()].into_iter().chain(row));
    }
    format!("{}{imported} imported, {known} passed over, {failed} failed\n", text(&table))
}

/// How long a job ran, or has been running.
pub(crate) fn duration(record: &RunRecord, now: DateTime<Utc>) -> String {
    let Some(started) = record.started_at else { return "-".to_owned() };
    measure::seconds(measure::between(started, record.finished_at.unwrap_or(now)))
}

fn colour(status: JobStatus) -> Color {
    match status {
        JobStatus::Queued => Color::DarkGrey,
        JobStatus::Running => Color::DarkCyan,
        JobStatus::Success => Color::DarkGreen,
        JobStatus::Failed => Color::DarkRed,
        JobStatus::TimedOut | JobStatus::Cancelled => Color::DarkYellow,
    }
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// Its lines, without the blanks that fill them up.
fn text(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use orcaops_common::domain::run::JobStatus;

    use super::*;
    use crate::output::sample;

    const PLAIN: Style = Style { colours: false };

    fn now() -> DateTime<Utc> {
        "2026-01-02T03:06:06Z".parse().unwrap()
    }

    #[test]
    fn jobs_are_listed_with_what_tells_them_apart() {
        let mut queued = sample::record(JobStatus::Queued);
        queued.started_at = None;
        let list = [queued, sample::record(JobStatus::Running), sample::record(JobStatus::TimedOut)];
        insta::assert_snapshot!(jobs(&list, now(), PLAIN), @r"
        JOB ID    STATUS     IMAGE     CREATED    DURATION
        build-42  queued     alpine:3  2 min ago  -
        build-42  running    alpine:3  2 min ago  2 min 0 s
        build-42  timed_out  alpine:3  2 min ago  2.5 s
        ");
        assert_eq!(jobs(&[], now(), PLAIN), "no jobs\n");
    }

    #[test]
    fn colours_do_not_shift_the_columns() {
        let list = [sample::record(JobStatus::Success), sample::record(JobStatus::Cancelled)];
        let plain = |text: String| {
            let pieces: Vec<_> = text.split('\x1b').collect();
            let after = |piece: &&str| piece.split_once('m').map_or("", |(_, rest)| rest).to_owned();
            let text = pieces[0].to_owned() + &pieces[1..].iter().map(after).collect::<String>();
            text.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>()
        };
        let coloured = jobs(&list, now(), Style { colours: true });
        assert!(coloured.matches('\x1b').count() >= 4, "{coloured:?}");
        assert_eq!(plain(coloured), jobs(&list, now(), PLAIN));
    }

    #[test]
    fn sandboxes_are_listed_with_what_they_run() {
        let text = "sandboxes: [{name: web, image: nginx, ports: {80: 8082}}, \
                    {name: job, image: alpine, command: [echo, a b], timeout: 120, cleanup_policy: never_remove}]";
        let document = orcaops_common::yaml::Document::parse(text).unwrap();
        let file =
            orcaops_common::domain::sandbox_file::SandboxFile::read(&document, std::path::Path::new("/"));
        insta::assert_snapshot!(sandboxes(&file.sandboxes), @r"
        NAME  IMAGE   TIMEOUT    CLEANUP               PORTS         COMMAND
        web   nginx   1 min 0 s  remove_on_completion  8082->80/tcp  (the image's)
        job   alpine  2 min 0 s  never_remove                        echo 'a b'
        ");
        assert_eq!(sandboxes(&[]), "no sandboxes\n");
    }

    #[test]
    fn imports_are_told_run_by_run() {
        let item = |job: &str, outcome| Item { job: job.to_owned(), outcome };
        let left = |path: &str, reason: &str| LeftOut { path: path.to_owned(), reason: reason.to_owned() };
        let two = vec![left("app", "it is missing"), left("x", "it is a link")];
        let items = [
            item("build-42", Outcome::Imported { artifacts: 3, left_out: Vec::new() }),
            item("fail-7", Outcome::Imported { artifacts: 0, left_out: two }),
            item("slow-1", Outcome::Known),
            item("stop-me", Outcome::Failed("it is running".to_owned())),
        ];
        insta::assert_snapshot!(imports(&items), @r"
        JOB ID    RESULT       FILES  NOTES
        build-42  imported     3
        fail-7    imported     0      app left out: it is missing
                                      x left out: it is a link
        slow-1    passed over         it is there already
        stop-me   failed              it is running
        2 imported, 1 passed over, 1 failed
        ");
    }

    #[test]
    fn files_are_listed_by_the_path_that_fetches_them() {
        insta::assert_snapshot!(artifacts(&sample::record(JobStatus::Success).artifacts), @r"
        FILE               SIZE  SHA-256
        out/report.xml  2.0 KiB  abababababababababababababababababababababababababababababababab
        ");
    }
}
