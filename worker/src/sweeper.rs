//! The net below: removes containers of this fleet that nobody looks after any more.
//!
//! Containers end by themselves when their worker dies. What this finds, something else went wrong with.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use orcaops_common::domain::control::RunningAttempt;
use orcaops_common::domain::id::{AttemptId, JobId};

use crate::attempt::Context;
use crate::engine::label;

/// How often.
const INTERVAL: Duration = Duration::from_secs(60);

/// Sweeps at once and then regularly, for ever.
pub(crate) async fn sweep(context: Arc<Context>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        match context.engine.containers(&context.config.fleet).await {
            Ok(containers) => {
                for (id, labels) in containers {
                    if is_abandoned(&labels, &context) {
                        let gone = context.engine.remove(&id).await;
                        tracing::warn!(container.id = id, gone, "swept a container that nobody looked after");
                    }
                }
            }
            Err(e) => tracing::warn!(error = %e, "cannot sweep"),
        }
    }
}

/// Past its time, or made by a worker of this name that has forgotten it.
fn is_abandoned(labels: &HashMap<String, String>, context: &Context) -> bool {
    let own = labels.get(label::WORKER).is_some_and(|w| w == context.config.name.as_str());
    let in_hand = attempt(labels).is_some_and(|a| context.registry.contains(&a));
    (own && !in_hand) || is_expired(labels, Utc::now().timestamp())
}

fn is_expired(labels: &HashMap<String, String>, now: i64) -> bool {
    labels.get(label::EXPIRES_AT).and_then(|at| at.parse::<i64>().ok()).is_some_and(|at| at < now)
}

fn attempt(labels: &HashMap<String, String>) -> Option<RunningAttempt> {
    let (dispatch, delivery) = labels.get(label::ATTEMPT)?.split_once('.')?;
    Some(RunningAttempt {
        job_id: JobId::new(labels.get(label::JOB)?.as_str()).ok()?,
        attempt: AttemptId { dispatch: dispatch.parse().ok()?, delivery: delivery.parse().ok()? },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_without_a_readable_expiry_is_not_taken_for_expired() {
        let labels = |at: &str| HashMap::from([(label::EXPIRES_AT.to_owned(), at.to_owned())]);
        assert!(is_expired(&labels("99"), 100));
        assert!(!is_expired(&labels("101"), 100));
        assert!(!is_expired(&labels("soon"), 100));
        assert!(!is_expired(&HashMap::new(), 100));
    }

    #[test]
    fn labels_name_their_attempt() {
        let labels = HashMap::from([
            (label::JOB.to_owned(), "build-42".to_owned()),
            (label::ATTEMPT.to_owned(), "2.1".to_owned()),
        ]);
        let expected = RunningAttempt {
            job_id: JobId::new("build-42").expect("valid"),
            attempt: AttemptId { dispatch: 2, delivery: 1 },
        };
        assert_eq!(attempt(&labels), Some(expected));
        assert_eq!(attempt(&HashMap::new()), None);
    }
}
