//! The engine's words for what it can't give, and the field of the spec that asks for it. Pure.
//!
//! Engines say such things in words only, with the status of a failure of their own.

use super::error::{EngineError, Failure};
use super::plan::ContainerPlan;
use orcaops_common::domain::run::EndCause;

/// What another worker, or the same one later, may give.
const ELSEWHERE: &str = "leave the field out, or send the job to a pool whose workers can";

/// The error for a container that can't be made or started, where a field of the spec is at fault.
pub(super) fn at_fault(plan: &ContainerPlan, what: &str, words: &str) -> Option<EngineError> {
    let lower = words.to_lowercase();
    let says = |part: &str| lower.contains(part);
    let (reason, is_permanent) = if plan.resources.disk.is_some() && says("storage-opt") {
        let hint = "it takes overlay2 on xfs with project quotas";
        let reason =
            format!("/sandbox/resources/disk: this worker's engine can't limit a container's disk ({hint})");
        (format!("{reason}; {ELSEWHERE}"), true)
    } else if plan.resources.gpus.is_some() && (says("device driver") || says("nvidia") || says("gpu")) {
        let reason = "/sandbox/resources/gpus: this worker's engine can't give so many";
        (format!("{reason}; {ELSEWHERE}"), true)
    } else if plan.resources.cpu.is_some() && says("range of cpus") {
        (
            "/sandbox/resources/cpu: this worker's host has fewer; ask for less, or use another pool"
                .to_owned(),
            true,
        )
    } else if says("bind source path does not exist") {
        let volume = plan.volumes.iter().position(|volume| words.trim().ends_with(volume.source.as_str()));
        let pointer = volume.map_or("/volumes".to_owned(), |n| format!("/volumes/{n}/source"));
        (format!("{pointer}: there is no such folder on the worker's host; make it there"), true)
    } else if !plan.ports.is_empty() && (says("already allocated") || says("address already in use")) {
        ("/ports: a port of the worker's host is in use".to_owned(), false)
    } else {
        return None;
    };
    let cause = EndCause::Engine;
    Some(EngineError::Failed {
        what: what.to_owned(),
        reason: format!("{reason}; the engine says: {}", words.trim()),
        failure: if is_permanent { Failure::Permanent(cause) } else { Failure::Transient(cause) },
    })
}

#[cfg(test)]
mod tests {
    use orcaops_common::domain::job::Resources;
    use orcaops_common::domain::placement::Volume;

    use super::*;
    use crate::engine::plan::tests::plan;

    fn greedy() -> ContainerPlan {
        let volume =
            |source: &str| Volume { source: source.to_owned(), target: "/x".to_owned(), read_only: false };
        ContainerPlan {
            resources: Resources {
                cpu: Some(64.0),
                disk: Some(1 << 30),
                gpus: Some(1),
                ..Resources::default()
            },
            volumes: vec![volume("/srv/a"), volume("/srv/b")],
            ports: [("80/tcp".to_owned(), 80)].into(),
            ..plan()
        }
    }

    #[test]
    fn what_engines_say_is_told_of_the_field_that_asked_for_it() {
        let engine = EndCause::Engine;
        let rows = [
            ("--storage-opt is not supported", "/sandbox/resources/disk:", Failure::Permanent(engine)),
            (
                "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
                "/sandbox/resources/disk:",
                Failure::Permanent(engine),
            ),
            (
                "could not select device driver \"\" with capabilities: [[gpu]]",
                "/sandbox/resources/gpus:",
                Failure::Permanent(engine),
            ),
            (
                "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
                "/sandbox/resources/cpu:",
                Failure::Permanent(engine),
            ),
            (
                "invalid mount config for type \"bind\": bind source path does not exist: /srv/b",
                "/volumes/1/source:",
                Failure::Permanent(engine),
            ),
            (
                "Bind for 127.0.0.1:80 failed: port is already allocated",
                "/ports:",
                Failure::Transient(engine),
            ),
        ];
        for (words, pointer, failure) in rows {
            let error = at_fault(&greedy(), "create a container", words).expect("a field is at fault");
            let said = error.to_string();
            assert!(said.contains(pointer) && said.ends_with(words), "{said}");
            assert_eq!(error.failure(), failure, "{said}");
        }
    }

    #[test]
    fn a_field_that_asks_for_nothing_is_never_at_fault() {
        for words in ["--storage-opt is not supported", "no device driver", "address already in use", "oops"]
        {
            assert!(at_fault(&plan(), "start the container", words).is_none(), "{words}");
        }
    }
}
