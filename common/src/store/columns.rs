//! The columns that rows are made of, as text for constant statements.

/// Of a [`HeldRow`](super::held::HeldRow), its `now` aside.
macro_rules! held_columns {
    () => {
        "job_id, status, current_dispatch, current_delivery, attempt, worker, sandbox_id, cleanup_status, \
         ttl_seconds, started_at, ttl_expiry, finished_at, end_cause, error, cancel_requested_at, \
         generation, dispatch, attempts_spent, max_attempts, retry, queued_at, not_before, published_at, \
         notes, built_image"
    };
}

/// Of a [`RunRow`](super::rows::RunRow).
macro_rules! run_columns {
    () => {
        "job_id, status, current_dispatch, current_delivery, created_at, started_at, finished_at, \
         sandbox_id, image_ref, cleanup_status, ttl_expiry, fingerprint, error, worker, attempt, end_cause, \
         pool, not_before, notes, built_image"
    };
}

/// Of a [`StepRow`](super::rows::StepRow).
macro_rules! step_columns {
    () => {
        "job_id, command, exit_code, signal, stdout, stderr, stdout_bytes, stderr_bytes, duration_seconds, \
         cpu_seconds, max_rss_bytes, ended_at, step_index, name, success"
    };
}

/// Of an [`ArtifactRow`](super::rows::ArtifactRow).
macro_rules! artifact_columns {
    () => {
        "job_id, path, name, size_bytes, sha256, mode"
    };
}

/// Of a [`MessageRow`](super::held::MessageRow).
macro_rules! message_columns {
    () => {
        "job_id, pool, dispatch, attempts_spent, max_attempts, ttl_expiry, spec"
    };
}

/// Of an [`UnsettledRow`](super::rows::UnsettledRow). A spec does not hold what is the default.
macro_rules! unsettled_columns {
    () => {
        "job_id, current_dispatch, current_delivery, attempt, worker, sandbox_id, \
         coalesce(spec ->> 'cleanup_policy', 'always_remove') AS policy"
    };
}

/// Of a [`SeenRow`](super::rows::SeenRow).
macro_rules! worker_columns {
    () => {
        "name, pool, slots, busy, draining, version, seen_at"
    };
}

pub(super) use {
    artifact_columns, held_columns, message_columns, run_columns, step_columns, unsettled_columns,
    worker_columns,
};
