//! The net below: removes containers of this fleet that nobody looks after any more, and kept ones past their age.
//!
//! Containers end by themselves when their worker dies. What this finds, something else went wrong with, or its
//! job's policy may have kept it: such a container stays behind when its worker dies in mid-job.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use orcaops_common::domain::control::RunningAttempt;
use orcaops_common::domain::event::{EVENT_VERSION, Event, EventBody};
use orcaops_common::domain::id::{AttemptId, JobId, WorkerName};
use orcaops_common::domain::run::CleanupStatus;

use crate::attempt::{Context, publish};
use crate::engine::{Container, label};

/// How often.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long the bus is asked to take word of a container's end.
const SAY_PATIENCE: Duration = Duration::from_secs(10);

/// Sweeps at once and then regularly, for ever.
pub(crate) async fn sweep(context: Arc<Context>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut is_first = true;
    loop {
        ticks.tick().await;
        let before = in_hand(&context);
        match context.engine.containers(&context.config.fleet).await {
            Ok(containers) => {
                // Judged all at once: while one is removed, attempts end and keep theirs.
                let during: HashSet<_> = before.union(&in_hand(&context)).cloned().collect();
                let now = Utc::now().timestamp();
                let (abandoned, others): (Vec<_>, Vec<_>) = containers
                    .into_iter()
                    .partition(|container| is_abandoned(container, &context.config.name, &during, now));
                if is_first {
                    is_first = false;
                    say_kept(&context, &others).await;
                }
                for container in abandoned {
                    remove(&context, container).await;
                }
            }
            Err(e) => tracing::warn!(error = %e, "cannot sweep"),
        }
    }
}

fn in_hand(context: &Context) -> HashSet<RunningAttempt> {
    context.registry.list().into_iter().collect()
}

/// A worker that died may have kept a container without saying so.
async fn say_kept(context: &Context, containers: &[Container]) {
    for container in containers {
        if container.is_kept() && is_own(container, &context.config.name) {
            say(context, container, CleanupStatus::Kept).await;
        }
    }
}

async fn remove(context: &Context, container: Container) {
    let gone = context.engine.remove(&container.id).await;
    let id = &container.id;
    if container.is_kept() {
        tracing::info!(container.id = id, gone, "removed a container that had been kept");
    } else {
        tracing::warn!(container.id = id, gone, "swept a container that nobody looked after");
    }
    if gone {
        say(context, &container, CleanupStatus::Destroyed).await;
    }
}

/// An attempt that counts for nothing keeps no container, even if it learns that afterwards.
pub(crate) async fn remove_kept(context: &Context, counts_not: &RunningAttempt) {
    match context.engine.containers(&context.config.fleet).await {
        Ok(containers) => {
            for container in containers {
                let is_its = container.is_kept() && attempt(&container).as_ref() == Some(counts_not);
                if is_its && is_own(&container, &context.config.name) {
                    remove(context, container).await;
                }
            }
        }
        Err(e) => tracing::warn!(error = %e, "cannot look for what an attempt kept that counts for nothing"),
    }
}

/// Says what became of a container whose attempt says nothing any more.
async fn say(context: &Context, container: &Container, status: CleanupStatus) {
    let Some(event) = event(container, status) else { return };
    if tokio::time::timeout(SAY_PATIENCE, publish(&*context.bus, &event)).await.is_err() {
        tracing::warn!(job.id = %event.job_id, "the bus did not take an event");
    }
}

fn event(container: &Container, status: CleanupStatus) -> Option<Event> {
    let RunningAttempt { job_id, attempt } = attempt(container)?;
    let at = Utc::now();
    Some(Event {
        v: EVENT_VERSION,
        job_id,
        attempt,
        number: container.labels.get(label::NUMBER)?.parse().ok()?,
        // Above all that the attempt itself has said, and different each time.
        seq: u64::try_from(at.timestamp_micros()).ok()?,
        at,
        worker: WorkerName::new(container.labels.get(label::WORKER)?.as_str()).ok()?,
        body: EventBody::Cleaned { status },
    })
}

/// Past its time, or made by a worker of this name that has forgotten it. One that is kept is nobody's, and has
/// a time of its own.
fn is_abandoned(
    container: &Container,
    own: &WorkerName,
    in_hand: &HashSet<RunningAttempt>,
    now: i64,
) -> bool {
    if container.is_kept() && time(container, label::KEPT_UNTIL).is_some() {
        return is_past(container, label::KEPT_UNTIL, now);
    }
    let is_forgotten = is_own(container, own) && !attempt(container).is_some_and(|a| in_hand.contains(&a));
    is_forgotten || is_past(container, label::EXPIRES_AT, now)
}

fn is_own(container: &Container, own: &WorkerName) -> bool {
    container.labels.get(label::WORKER).is_some_and(|worker| worker == own.as_str())
}

fn time(container: &Container, label: &str) -> Option<i64> {
    container.labels.get(label)?.parse().ok()
}

fn is_past(container: &Container, label: &str, now: i64) -> bool {
    time(container, label).is_some_and(|at| at < now)
}

/// The attempt that a container was made for.
pub(crate) fn attempt(container: &Container) -> Option<RunningAttempt> {
    let labels = &container.labels;
    let (dispatch, delivery) = labels.get(label::ATTEMPT)?.split_once('.')?;
    Some(RunningAttempt {
        job_id: JobId::new(labels.get(label::JOB)?.as_str()).ok()?,
        attempt: AttemptId { dispatch: dispatch.parse().ok()?, delivery: delivery.parse().ok()? },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 100;

    fn container(name: &str, labels: &[(&str, &str)]) -> Container {
        Container {
            id: "c".to_owned(),
            names: vec![name.to_owned()],
            image: String::new(),
            is_running: false,
            status: String::new(),
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        }
    }

    fn is_swept(container: &Container, in_hand: &[RunningAttempt]) -> bool {
        let own = WorkerName::new("own").expect("valid");
        is_abandoned(container, &own, &in_hand.iter().cloned().collect(), NOW)
    }

    #[test]
    fn a_container_without_a_readable_expiry_is_not_taken_for_expired() {
        let expiring = |at| container("orcaops-x", &[(label::EXPIRES_AT, at)]);
        assert!(is_swept(&expiring("99"), &[]));
        assert!(!is_swept(&expiring("101"), &[]));
        assert!(!is_swept(&expiring("soon"), &[]));
        assert!(!is_swept(&container("orcaops-x", &[]), &[]));
    }

    #[test]
    fn what_a_worker_of_this_name_has_forgotten_is_swept_and_what_it_has_in_hand_is_not() {
        let labels =
            [(label::WORKER, "own"), (label::JOB, "j"), (label::ATTEMPT, "1.1"), (label::EXPIRES_AT, "200")];
        let own = container("orcaops-j-1.1-0", &labels);
        assert!(is_swept(&own, &[]));
        assert!(!is_swept(&own, &[attempt(&own).expect("named")]));
        let others = container("orcaops-j-1.1-0", &[(label::WORKER, "other"), (label::EXPIRES_AT, "200")]);
        assert!(!is_swept(&others, &[]));
    }

    #[test]
    fn a_kept_container_is_swept_past_its_age_and_one_that_only_might_have_been_kept_like_any_other() {
        let labels = |until| [(label::WORKER, "own"), (label::EXPIRES_AT, "50"), (label::KEPT_UNTIL, until)];
        assert!(!is_swept(&container("kept-orcaops-j-1.1-0", &labels("101")), &[]));
        assert!(is_swept(&container("kept-orcaops-j-1.1-0", &labels("99")), &[]));
        assert!(is_swept(&container("orcaops-j-1.1-0", &labels("101")), &[]), "its worker died over it");
        // A job's name can't make its container look kept.
        assert!(is_swept(&container("orcaops-kept-orcaops-1.1-0", &labels("101")), &[]));
    }

    #[test]
    fn labels_name_their_attempt_and_make_its_event() {
        let labels = [
            (label::JOB, "build-42"),
            (label::ATTEMPT, "2.1"),
            (label::NUMBER, "3"),
            (label::WORKER, "gone"),
        ];
        let container = container("orcaops-build-42", &labels);
        let expected = RunningAttempt {
            job_id: JobId::new("build-42").expect("valid"),
            attempt: AttemptId { dispatch: 2, delivery: 1 },
        };
        assert_eq!(attempt(&container), Some(expected));
        let event = event(&container, CleanupStatus::Destroyed).expect("an event");
        assert_eq!((event.number, event.worker.as_str()), (3, "gone"));
        assert!(attempt(&super::tests::container("x", &[])).is_none());
    }
}
