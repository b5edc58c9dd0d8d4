//! Records for tests.

use orcaops_common::domain::id::{JobId, PoolName};
use orcaops_common::domain::run::{ArtifactMetadata, EndCause, JobStatus, RunRecord, StepResult};

/// A job that ran one step of 1.5 s and left a file behind.
pub(crate) fn record(status: JobStatus) -> RunRecord {
    let time = |text: &str| text.parse().ok();
    RunRecord {
        job_id: JobId::new("build-42").unwrap(),
        status,
        created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        started_at: time("2026-01-02T03:04:06Z"),
        finished_at: time("2026-01-02T03:04:08.5Z").filter(|_| status.is_terminal()),
        sandbox_id: Some("c0ffee".into()),
        image_ref: Some("alpine:3".into()),
        steps: vec![step(0)],
        artifacts: vec![ArtifactMetadata {
            name: "report.xml".into(),
            path: "out/report.xml".into(),
            size_bytes: 2048,
            sha256: "ab".repeat(32),
            mode: Some("0644".into()),
        }],
        cleanup_status: None,
        ttl_expiry: None,
        fingerprint: None,
        error: None,
        worker: Some("left".parse().unwrap()),
        attempt: 1,
        end_cause: status.is_terminal().then_some(EndCause::Exit),
        waiting_reason: None,
        pool: PoolName::default(),
        notes: Vec::new(),
        built_image: None,
    }
}

/// A step that exited with that code.
pub(crate) fn step(exit_code: i32) -> StepResult {
    StepResult {
        command: "make\nmake test".into(),
        exit_code,
        stdout: "one\ntwo\n".into(),
        stderr: "three".into(),
        duration_seconds: 1.5,
        timestamp: "2026-01-02T03:04:08Z".parse().unwrap(),
        signal: None,
        stdout_bytes: 8,
        stderr_bytes: 5,
        cpu_seconds: None,
        max_rss_bytes: None,
        index: Some(0),
        name: None,
        success: Some(exit_code == 0),
    }
}
