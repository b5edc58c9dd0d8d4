//! Every state against every event, and random histories.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::domain::event::Finished;
use crate::domain::run::{CleanupStatus, EndCause, StepResult};

const OLDER: AttemptId = AttemptId { dispatch: 1, delivery: 9 };
const CURRENT: AttemptId = AttemptId { dispatch: 2, delivery: 1 };
const NEWER: AttemptId = AttemptId { dispatch: 2, delivery: 2 };

const RESULTS: [JobStatus; 4] =
    [JobStatus::Success, JobStatus::Failed, JobStatus::TimedOut, JobStatus::Cancelled];

/// How the run's attempt and the speaking attempt relate, in the order of the document's columns.
const RELATIONS: [(&str, Option<AttemptId>, AttemptId); 4] = [
    ("no attempt yet", None, CURRENT),
    ("older attempt", Some(CURRENT), OLDER),
    ("current attempt", Some(CURRENT), CURRENT),
    ("newer attempt", Some(CURRENT), NEWER),
];

fn finished(status: JobStatus) -> EventBody {
    EventBody::Finished(Finished {
        status,
        end_cause: EndCause::Exit,
        error: None,
        steps: 0,
        artifacts: 0,
        notes: Vec::new(),
        built_image: None,
    })
}

fn step_ended() -> EventBody {
    let result = StepResult {
        command: String::new(),
        exit_code: 0,
        stdout: String::new(),
        stderr: String::new(),
        duration_seconds: 0.0,
        timestamp: DateTime::<Utc>::UNIX_EPOCH,
        signal: None,
        stdout_bytes: 0,
        stderr_bytes: 0,
        cpu_seconds: None,
        max_rss_bytes: None,
        index: None,
        name: None,
        success: None,
    };
    EventBody::StepEnded { index: 0, result: Box::new(result) }
}

fn events() -> Vec<(&'static str, EventBody)> {
    vec![
        ("started", EventBody::Started),
        ("container_created", EventBody::ContainerCreated { sandbox_id: String::new() }),
        ("step_ended", step_ended()),
        ("artifacts_stored", EventBody::ArtifactsStored { artifacts: Vec::new() }),
        ("finished", finished(JobStatus::TimedOut)),
        ("handed_back", EventBody::HandedBack { drain: false, reason: String::new() }),
        ("cleaned", EventBody::Cleaned { status: CleanupStatus::Destroyed }),
    ]
}

/// A decision in the document's words.
fn words(state: &RunState, attempt: AttemptId, event: &EventBody) -> String {
    match decide(state, attempt, event) {
        Decision::Apply { status, attempt: now } => {
            assert_eq!(now, attempt, "what is applied makes its attempt the current one");
            match event {
                EventBody::Finished(f) if f.status == status => "→ its result".to_owned(),
                _ if status == state.status => "applied".to_owned(),
                _ => format!("→ {}", status.as_str()),
            }
        }
        Decision::Cancel { attempt: now } => {
            assert_eq!(now, attempt);
            "→ cancelled".to_owned()
        }
        Decision::Duplicate => "known".to_owned(),
        Decision::Refuse(Refusal::Stale) => "refused: stale".to_owned(),
        Decision::Refuse(Refusal::Final) => "refused: final".to_owned(),
        Decision::Refuse(other) => panic!("the machine itself never says {other:?}"),
    }
}

/// A cell: what happens, and what happens instead once a user asked to cancel.
fn cell(status: JobStatus, current: Option<AttemptId>, speaker: AttemptId, event: &EventBody) -> String {
    let with =
        |cancel_requested| words(&RunState { status, attempt: current, cancel_requested }, speaker, event);
    let (plain, cancelling) = (with(false), with(true));
    if plain == cancelling { plain } else { format!("{plain}; when cancelling {cancelling}") }
}

fn table(status: JobStatus) -> String {
    let mut out = String::from("| event |");
    for (relation, ..) in RELATIONS {
        write!(out, " {relation} |").unwrap();
    }
    out.push_str("\n|---|---|---|---|---|\n");
    for (name, event) in events() {
        write!(out, "| `{name}` |").unwrap();
        for (_, current, speaker) in RELATIONS {
            write!(out, " {} |", cell(status, current, speaker, &event)).unwrap();
        }
        out.push('\n');
    }
    out
}

fn document() -> String {
    let ended = table(JobStatus::Success);
    for status in RESULTS {
        assert_eq!(table(status), ended, "all terminal states answer alike; {} does not", status.as_str());
    }
    let intro = include_str!("states.md.in");
    let queued = table(JobStatus::Queued);
    let running = table(JobStatus::Running);
    format!(
        "{intro}\n## `queued`\n\n{queued}\n## `running`\n\n{running}\n## `success`, `failed`, `timed_out`, `cancelled`\n\n{ended}"
    )
}

#[test]
fn the_document_shows_what_the_machine_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/states.md");
    let document = document();
    if std::env::var_os("ORCAOPS_UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &document).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == document,
        "docs/states.md is out of date; run this test with ORCAOPS_UPDATE_DOCS=1 and commit what changed"
    );
}

#[test]
fn every_result_becomes_the_runs_status() {
    for status in RESULTS {
        let state = RunState { status: JobStatus::Running, attempt: Some(CURRENT), cancel_requested: true };
        assert_eq!(decide(&state, CURRENT, &finished(status)), Decision::Apply { status, attempt: CURRENT });
    }
}

#[test]
fn a_result_that_is_none_counts_as_failed() {
    for status in [JobStatus::Queued, JobStatus::Running] {
        let state = RunState { status: JobStatus::Running, attempt: Some(CURRENT), cancel_requested: false };
        let failed = Decision::Apply { status: JobStatus::Failed, attempt: CURRENT };
        assert_eq!(decide(&state, CURRENT, &finished(status)), failed);
    }
}

#[test]
fn cancelling_ends_a_queued_run_and_asks_a_running_one() {
    assert_eq!(decide_cancel(JobStatus::Queued), CancelDecision::Cancelled);
    assert_eq!(decide_cancel(JobStatus::Running), CancelDecision::Requested);
    for status in RESULTS {
        assert_eq!(decide_cancel(status), CancelDecision::AlreadyTerminal);
    }
}

/// Something that happens to a run.
#[derive(Debug, Clone)]
enum Act {
    Event(AttemptId, EventBody),
    Cancel,
}

fn act() -> impl Strategy<Value = Act> {
    let all = || events().into_iter().map(|(_, e)| e).chain(JobStatus::ALL.map(finished)).collect::<Vec<_>>();
    let event = (1..3_u32, 1..4_u32, prop::sample::select(all()))
        .prop_map(|(dispatch, delivery, event)| Act::Event(AttemptId { dispatch, delivery }, event));
    prop_oneof![12 => event, 1 => Just(Act::Cancel)]
}

/// Does to a run's state what a store does.
fn apply(state: &mut RunState, act: &Act) -> Option<Decision> {
    match act {
        Act::Cancel => {
            match decide_cancel(state.status) {
                CancelDecision::Cancelled => state.status = JobStatus::Cancelled,
                CancelDecision::Requested => state.cancel_requested = true,
                CancelDecision::AlreadyTerminal => {}
            }
            None
        }
        Act::Event(attempt, event) => {
            let decision = decide(state, *attempt, event);
            match decision {
                Decision::Apply { status, attempt } => {
                    (state.status, state.attempt) = (status, Some(attempt));
                }
                Decision::Cancel { attempt } => {
                    (state.status, state.attempt) = (JobStatus::Cancelled, Some(attempt));
                }
                Decision::Duplicate | Decision::Refuse(_) => {}
            }
            Some(decision)
        }
    }
}

proptest! {
    #[test]
    fn histories_obey_the_machines_laws(acts in vec(act(), 0..30)) {
        let mut state = RunState { status: JobStatus::Queued, attempt: None, cancel_requested: false };
        for act in &acts {
            let before = state;
            apply(&mut state, act);
            if before.status.is_terminal() {
                prop_assert_eq!(state.status, before.status, "a terminal status changed by {:?}", act);
            }
            prop_assert!(state.attempt >= before.attempt, "the attempt went back by {:?}", act);
            if before.status == JobStatus::Running && state.status == JobStatus::Queued {
                let handed_back = matches!(act, Act::Event(_, EventBody::HandedBack { .. }));
                prop_assert!(handed_back, "running became queued by {:?}", act);
            }
        }
    }

    #[test]
    fn an_event_given_twice_counts_once(acts in vec(act(), 0..30)) {
        let (mut once, mut twice) = {
            let fresh = RunState { status: JobStatus::Queued, attempt: None, cancel_requested: false };
            (fresh, fresh)
        };
        for act in &acts {
            apply(&mut once, act);
            apply(&mut twice, act);
            if matches!(act, Act::Event(..)) {
                apply(&mut twice, act);
            }
            prop_assert_eq!(once, twice, "after {:?}", act);
        }
    }
}
