-- Ids and names compare bytewise, as they do in Rust and in SQLite.

CREATE TABLE runs (
    job_id text COLLATE "C" PRIMARY KEY,
    status text NOT NULL
        CHECK (status IN ('queued', 'running', 'success', 'failed', 'timed_out', 'cancelled')),
    spec jsonb,
    fingerprint text,
    pool text COLLATE "C" NOT NULL,
    image_ref text,
    ttl_seconds bigint NOT NULL CHECK (ttl_seconds >= 0),
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    ttl_expiry timestamptz,
    finished_at timestamptz,
    end_cause text
        CHECK (end_cause IN ('exit', 'signal', 'oom', 'timeout', 'ttl', 'cancelled', 'lost', 'image',
                             'engine', 'artifacts', 'disk', 'policy')),
    error text,
    notes jsonb NOT NULL DEFAULT '[]',
    built_image jsonb,
    cancel_requested_at timestamptz,

    -- The attempt that counts: the latest one that has spoken.
    current_dispatch bigint CHECK (current_dispatch >= 1),
    current_delivery bigint CHECK (current_delivery >= 1),
    attempt bigint NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    worker text,
    sandbox_id text,
    cleanup_status text CHECK (cleanup_status IN ('destroyed', 'leaked', 'kept', 'pending')),

    -- How it is to reach a worker. `attempts_spent` is the count before the present dispatch; `not_before`
    -- is null until the scheduler has it, that is at dispatch 1.
    generation text COLLATE "C" NOT NULL,
    dispatch bigint NOT NULL DEFAULT 1 CHECK (dispatch >= 1),
    attempts_spent bigint NOT NULL DEFAULT 0 CHECK (attempts_spent >= 0),
    max_attempts bigint NOT NULL CHECK (max_attempts >= 1),
    retry jsonb NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    not_before timestamptz,
    published_at timestamptz,
    mirrored_at timestamptz,

    -- When a run came from another installation's files. It has ended, and of what it was only its record is
    -- known, which may lack what older versions did not note.
    imported_at timestamptz,

    CHECK ((current_dispatch IS NULL) = (current_delivery IS NULL)),
    CHECK (status <> 'running' OR (current_dispatch IS NOT NULL AND worker IS NOT NULL)),
    CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL)),
    CHECK (finished_at IS NOT NULL OR end_cause IS NULL),
    CHECK (imported_at IS NULL OR finished_at IS NOT NULL),
    CHECK (imported_at IS NOT NULL OR (spec IS NOT NULL AND fingerprint IS NOT NULL AND image_ref IS NOT NULL
        AND (finished_at IS NULL) = (end_cause IS NULL) AND (started_at IS NULL) = (ttl_expiry IS NULL)))
) WITH (fillfactor = 80);

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
    job_id text COLLATE "C" NOT NULL REFERENCES runs ON DELETE CASCADE,
    dispatch bigint NOT NULL CHECK (dispatch >= 1),
    delivery bigint NOT NULL CHECK (delivery >= 1),
    number bigint NOT NULL CHECK (number >= 0),
    worker text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('finished', 'handed_back', 'superseded', 'lost', 'cancelled')),
    reason text,
    PRIMARY KEY (job_id, dispatch, delivery),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);

CREATE TABLE steps (
    job_id text COLLATE "C" NOT NULL,
    dispatch bigint NOT NULL,
    delivery bigint NOT NULL,
    step_index bigint NOT NULL CHECK (step_index >= 0),
    command text NOT NULL,
    exit_code bigint NOT NULL,
    signal bigint,
    stdout text NOT NULL,
    stderr text NOT NULL,
    stdout_bytes bigint NOT NULL CHECK (stdout_bytes >= 0),
    stderr_bytes bigint NOT NULL CHECK (stderr_bytes >= 0),
    duration_seconds double precision NOT NULL,
    cpu_seconds double precision,
    max_rss_bytes bigint CHECK (max_rss_bytes >= 0),
    ended_at timestamptz NOT NULL,
    name text,
    success boolean,
    PRIMARY KEY (job_id, dispatch, delivery, step_index),
    FOREIGN KEY (job_id, dispatch, delivery) REFERENCES attempts ON DELETE CASCADE
);

-- A path may be longer than an index entry, so its hash is the key.
CREATE TABLE artifacts (
    job_id text COLLATE "C" NOT NULL,
    dispatch bigint NOT NULL,
    delivery bigint NOT NULL,
    path text COLLATE "C" NOT NULL,
    path_sha256 bytea NOT NULL,
    name text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    sha256 text NOT NULL,
    mode text,
    PRIMARY KEY (job_id, dispatch, delivery, path_sha256),
    FOREIGN KEY (job_id, dispatch, delivery) REFERENCES attempts ON DELETE CASCADE
);

CREATE TABLE workers (
    name text COLLATE "C" PRIMARY KEY,
    pool text COLLATE "C" NOT NULL,
    slots bigint NOT NULL CHECK (slots >= 0),
    busy bigint NOT NULL CHECK (busy >= 0),
    draining boolean NOT NULL,
    version text NOT NULL,
    seen_at timestamptz NOT NULL
);

CREATE TABLE leases (
    name text COLLATE "C" PRIMARY KEY,
    holder text NOT NULL,
    expires_at timestamptz NOT NULL
);
