-- Times are microseconds since 1970, UTC. Ids and names compare bytewise, as they do in Rust.

CREATE TABLE runs (
    job_id TEXT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL
        CHECK (status IN ('queued', 'running', 'success', 'failed', 'timed_out', 'cancelled')),
    spec TEXT CHECK (json_valid(spec)),
    fingerprint TEXT,
    pool TEXT NOT NULL,
    image_ref TEXT,
    ttl_seconds INTEGER NOT NULL CHECK (ttl_seconds >= 0),
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ttl_expiry INTEGER,
    finished_at INTEGER,
    end_cause TEXT
        CHECK (end_cause IN ('exit', 'signal', 'oom', 'timeout', 'ttl', 'cancelled', 'lost', 'image',
                             'engine', 'artifacts', 'disk', 'policy')),
    error TEXT,
    notes TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(notes)),
    built_image TEXT CHECK (json_valid(built_image)),
    cancel_requested_at INTEGER,

    -- The attempt that counts: the latest one that has spoken.
    current_dispatch INTEGER CHECK (current_dispatch >= 1),
    current_delivery INTEGER CHECK (current_delivery >= 1),
    attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    worker TEXT,
    sandbox_id TEXT,
    cleanup_status TEXT CHECK (cleanup_status IN ('destroyed', 'leaked', 'kept', 'pending')),

    -- How it is to reach a worker. `attempts_spent` is the count before the present dispatch; `not_before`
    -- is null until the scheduler has it, that is at dispatch 1.
    generation TEXT NOT NULL,
    dispatch INTEGER NOT NULL DEFAULT 1 CHECK (dispatch >= 1),
    attempts_spent INTEGER NOT NULL DEFAULT 0 CHECK (attempts_spent >= 0),
    max_attempts INTEGER NOT NULL CHECK (max_attempts >= 1),
    retry TEXT NOT NULL CHECK (json_valid(retry)),
    queued_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    not_before INTEGER,
    published_at INTEGER,
    mirrored_at INTEGER,

    -- When a run came from another installation's files. It has ended, and of what it was only its record is
    -- known, which may lack what older versions did not note.
    imported_at INTEGER,

    CHECK ((current_dispatch IS NULL) = (current_delivery IS NULL)),
    CHECK (status <> 'running' OR (current_dispatch IS NOT NULL AND worker IS NOT NULL)),
    CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL)),
    CHECK (finished_at IS NOT NULL OR end_cause IS NULL),
    CHECK (imported_at IS NULL OR finished_at IS NOT NULL),
    CHECK (imported_at IS NOT NULL OR (spec IS NOT NULL AND fingerprint IS NOT NULL AND image_ref IS NOT NULL
        AND (finished_at IS NULL) = (end_cause IS NULL) AND (started_at IS NULL) = (ttl_expiry IS NULL)))
) STRICT;

CREATE INDEX runs_newest ON runs (created_at DESC, job_id DESC);
CREATE INDEX runs_newest_by_status ON runs (status, created_at DESC, job_id DESC);
CREATE INDEX runs_to_publish ON runs (created_at, job_id)
    WHERE status = 'queued' AND published_at IS NULL;
CREATE INDEX runs_by_generation ON runs (generation)
    WHERE status IN ('queued', 'running');
CREATE INDEX runs_to_mirror ON runs (finished_at, job_id)
    WHERE status IN ('success', 'failed', 'timed_out', 'cancelled') AND mirrored_at IS NULL;
CREATE INDEX runs_to_settle ON runs (finished_at, job_id)
    WHERE cleanup_status = 'pending';

CREATE TABLE attempts (
    job_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    dispatch INTEGER NOT NULL CHECK (dispatch >= 1),
    delivery INTEGER NOT NULL CHECK (delivery >= 1),
    number INTEGER NOT NULL CHECK (number >= 0),
    worker TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT CHECK (outcome IN ('finished', 'handed_back', 'superseded', 'lost', 'cancelled')),
    reason TEXT,
    PRIMARY KEY (job_id, dispatch, delivery),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;

CREATE TABLE steps (
    job_id TEXT NOT NULL,
    dispatch INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    step_index INTEGER NOT NULL CHECK (step_index >= 0),
    command TEXT NOT NULL,
    exit_code INTEGER NOT NULL,
    signal INTEGER,
    stdout TEXT NOT NULL,
    stderr TEXT NOT NULL,
    stdout_bytes INTEGER NOT NULL CHECK (stdout_bytes >= 0),
    stderr_bytes INTEGER NOT NULL CHECK (stderr_bytes >= 0),
    duration_seconds REAL NOT NULL,
    cpu_seconds REAL,
    max_rss_bytes INTEGER CHECK (max_rss_bytes >= 0),
    ended_at INTEGER NOT NULL,
    name TEXT,
    success INTEGER CHECK (success IN (0, 1)),
    PRIMARY KEY (job_id, dispatch, delivery, step_index),
    FOREIGN KEY (job_id, dispatch, delivery) REFERENCES attempts ON DELETE CASCADE
) STRICT;

-- A path may be longer than an index entry, so its hash is the key.
CREATE TABLE artifacts (
    job_id TEXT NOT NULL,
    dispatch INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    path TEXT NOT NULL,
    path_sha256 BLOB NOT NULL,
    name TEXT NOT NULL,
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    sha256 TEXT NOT NULL,
    mode TEXT,
    PRIMARY KEY (job_id, dispatch, delivery, path_sha256),
    FOREIGN KEY (job_id, dispatch, delivery) REFERENCES attempts ON DELETE CASCADE
) STRICT;

CREATE TABLE workers (
    name TEXT NOT NULL PRIMARY KEY,
    pool TEXT NOT NULL,
    slots INTEGER NOT NULL CHECK (slots >= 0),
    busy INTEGER NOT NULL CHECK (busy >= 0),
    draining INTEGER NOT NULL CHECK (draining IN (0, 1)),
    version TEXT NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;

CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
