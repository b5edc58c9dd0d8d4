//! A job, at a glance.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use orcaops_common::domain::run::{BuiltImage, CleanupStatus, JobStatus, RunRecord, StepResult};

use super::measure;
use super::style::Style;
use super::table::duration;
use super::words::harmless;

/// How many lines of a failing step are shown.
const TAIL_LINES: usize = 20;
/// How much of a command is shown, in characters.
const COMMAND_WIDTH: usize = 70;

/// All that matters about a job.
pub(crate) fn of(record: &RunRecord, now: DateTime<Utc>, style: Style) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<9} {value}");
    };
    line("job", record.job_id.as_str());
    line("status", &status(record, style));
    if let Some(error) = &record.error {
        line("error", &harmless(error));
    }
    if let Some(reason) = &record.waiting_reason {
        line("waits", &harmless(reason));
    }
    line("image", record.image_ref.as_deref().unwrap_or("-"));
    line(
        "created",
        &format!(
            "{} ({})",
            record.created_at.format("%Y-%m-%d %H:%M:%S UTC"),
            measure::ago(record.created_at, now)
        ),
    );
    if record.started_at.is_some() {
        line("duration", &duration(record, now));
    }
    if let Some(worker) = &record.worker {
        line("worker", &format!("{worker}, attempt {}, pool {}", record.attempt, record.pool));
    }
    for (place, step) in record.steps.iter().enumerate() {
        line(&format!("step {}", number(step, place)), &self::step(step));
    }
    if let Some(image) = &record.built_image {
        line("built", &built(image));
    }
    for file in &record.artifacts {
        line("artifact", &format!("{} ({})", harmless(&file.path), measure::bytes(file.size_bytes)));
    }
    for note in &record.notes {
        line("note", &harmless(note));
    }
    if let (Some(CleanupStatus::Kept | CleanupStatus::Leaked), Some(container)) =
        (record.cleanup_status, &record.sandbox_id)
    {
        line("container", &format!("{} ({})", container, cleanup(record)));
    }
    text
}

/// An image that was built.
pub(crate) fn built(image: &BuiltImage) -> String {
    let pushed = if image.pushed { ", pushed" } else { "" };
    format!("{} ({}{pushed}) {}", image.tags.join(", "), measure::bytes(image.size_bytes), image.id)
}

/// How a job ended, in one sentence.
pub(crate) fn sentence(record: &RunRecord, style: Style) -> String {
    let took = duration(record, record.finished_at.unwrap_or(record.created_at));
    let mut text = format!("job {} {} after {took}", record.job_id, status(record, style));
    if record.started_at.is_none() {
        text = format!("job {} {}", record.job_id, status(record, style));
    }
    if let Some(error) = &record.error {
        let _ = write!(text, ": {}", harmless(error));
    }
    text
}

/// The last lines of the step that failed, if a step did.
pub(crate) fn tail(record: &RunRecord) -> Option<String> {
    let failed = matches!(record.status, JobStatus::Failed | JobStatus::TimedOut);
    // Steps that clean up may follow it.
    let has_failed = |step: &StepResult| !step.success.unwrap_or(step.exit_code == 0);
    let last = record.steps.iter().enumerate().rev().find(|(_, step)| has_failed(step));
    let (place, step) = last.filter(|_| failed)?;
    let mut text = String::new();
    for (name, output) in [("standard output", &step.stdout), ("standard error", &step.stderr)] {
        let lines: Vec<_> = output.lines().collect();
        let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        if !shown.is_empty() {
            let what = if shown.len() < lines.len() { "the end of " } else { "" };
            let step = number(step, place);
            let _ = writeln!(text, "--- {what}step {step}'s {name}:\n{}", shown.join("\n"));
        }
    }
    (!text.is_empty()).then_some(text)
}

fn status(record: &RunRecord, style: Style) -> String {
    let status = style.status(record.status);
    match record.end_cause {
        Some(cause) if !matches!(record.status, JobStatus::Success | JobStatus::Cancelled) => {
            format!("{status} ({})", cause.as_str())
        }
        _ => status,
    }
}

fn step(step: &StepResult) -> String {
    let end = match step.signal {
        Some(signal) => format!("signal {signal}"),
        None => format!("exit {}", step.exit_code),
    };
    let what = match &step.name {
        Some(name) => format!("{name}: {}", one_line(&step.command)),
        None => one_line(&step.command),
    };
    format!("{end:<8} {:>9}  {what}", measure::seconds(step.duration_seconds))
}

/// The step's number in the spec, from 1; records of older versions have every step.
fn number(step: &StepResult, place: usize) -> usize {
    step.index.map_or(place, |index| index as usize) + 1
}

fn cleanup(record: &RunRecord) -> &'static str {
    record.cleanup_status.map_or("", |status| status.as_str())
}

pub(super) fn one_line(command: &str) -> String {
    let line: String = command.lines().next().unwrap_or_default().chars().take(COMMAND_WIDTH).collect();
    if line.len() < command.trim_end().len() { format!("{line}…") } else { line }
}

#[cfg(test)]
mod tests {
    use orcaops_common::domain::run::EndCause;

    use super::*;
    use crate::output::sample;

    const PLAIN: Style = Style { colours: false };

    fn now() -> DateTime<Utc> {
        "2026-01-02T03:06:06Z".parse().unwrap()
    }

    fn failed() -> RunRecord {
        let mut record = sample::record(JobStatus::Failed);
        record.steps.push(StepResult { index: Some(1), ..sample::step(3) });
        record.error = Some("step 2 exited with code 3".into());
        record
    }

    #[test]
    fn a_job_is_shown_at_a_glance() {
        insta::assert_snapshot!(of(&failed(), now(), PLAIN), @r"
        job       build-42
        status    failed (exit)
        error     step 2 exited with code 3
        image     alpine:3
        created   2026-01-02 03:04:05 UTC (2 min ago)
        duration  2.5 s
        worker    left, attempt 1, pool default
        step 1    exit 0       1.5 s  make…
        step 2    exit 3       1.5 s  make…
        artifact  out/report.xml (2.0 KiB)
        ");
    }

    #[test]
    fn what_a_user_should_know_is_shown_last() {
        let mut record = failed();
        record.steps[0].name = Some("build".into());
        record.steps.push(StepResult { index: Some(4), name: Some("clean up".into()), ..sample::step(0) });
        record.notes = vec!["artifact pattern \"*.xml\" matches no file".into()];
        record.cleanup_status = Some(CleanupStatus::Kept);
        insta::assert_snapshot!(of(&record, now(), PLAIN).split_once("step 1").unwrap().1, @r#"
            exit 0       1.5 s  build: make…
        step 2    exit 3       1.5 s  make…
        step 5    exit 0       1.5 s  clean up: make…
        artifact  out/report.xml (2.0 KiB)
        note      artifact pattern "*.xml" matches no file
        container c0ffee (kept)
        "#);
        assert!(tail(&record).unwrap().starts_with("--- step 2's standard output"));
    }

    #[test]
    fn an_end_is_one_sentence() {
        assert_eq!(sentence(&sample::record(JobStatus::Success), PLAIN), "job build-42 success after 2.5 s");
        let expected = "job build-42 failed (exit) after 2.5 s: step 2 exited with code 3";
        assert_eq!(sentence(&failed(), PLAIN), expected);
        let mut never = sample::record(JobStatus::Cancelled);
        (never.started_at, never.end_cause) = (None, Some(EndCause::Cancelled));
        assert_eq!(sentence(&never, PLAIN), "job build-42 cancelled");
    }

    #[test]
    fn the_end_of_what_a_failing_step_printed_is_shown() {
        let mut record = failed();
        let long: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        record.steps[1].stdout = long;
        let tail = tail(&record).unwrap();
        assert!(tail.starts_with("--- the end of step 2's standard output:\nline 11\n"), "{tail}");
        assert!(tail.ends_with("line 30\n--- step 2's standard error:\nthree\n"), "{tail}");
        assert_eq!(super::tail(&sample::record(JobStatus::Success)), None);
    }
}
