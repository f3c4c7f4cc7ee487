-- queue.db, version 2: where jobs wait on one machine.
--
-- One process (or a few) write it, each through one connection and a transaction per group of calls (writer.rs);
-- readers have connections of their own. Times are milliseconds since the Unix epoch, ids the 16 bytes of a UUIDv7.

-- A queue and its counts.
-- Written by every step that moves jobs (the counts: in the same transaction), by pause, resume and housekeeping.
-- Read by lease (paused, chosen), housekeeping and the statistics, which therefore never count rows.
CREATE TABLE queues (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    paused        INTEGER NOT NULL DEFAULT 0,
    scheduled     INTEGER NOT NULL DEFAULT 0,
    available     INTEGER NOT NULL DEFAULT 0,   -- suspects included
    running       INTEGER NOT NULL DEFAULT 0,
    completed     INTEGER NOT NULL DEFAULT 0,
    dead          INTEGER NOT NULL DEFAULT 0,
    cancelled     INTEGER NOT NULL DEFAULT 0,
    expired       INTEGER NOT NULL DEFAULT 0,
    maintained_at INTEGER,                      -- the last housekeeping; NULL before the first
    reap_after    INTEGER NOT NULL DEFAULT 0,   -- after a silence: no job is taken from its worker before this
    chosen        INTEGER,                      -- the worker that makes room for a suspect job …
    chosen_until  INTEGER NOT NULL DEFAULT 0    -- … and until when it is waited for
) STRICT;

-- A job. Written by enqueue, lease, finish, housekeeping and the operator's hands; read by all of them and the lists.
--
-- `state` is 0 scheduled, 1 available, 2 running, 3 completed, 4 dead, 5 cancelled, 6 expired, 7 suspect (available,
-- but leased alone). `rank` is its place among the jobs of its queue and state, so that one index serves every question:
--   scheduled  due * 16 + priority (+ 15 if two workers were lost with it)
--   available  priority * 2^44 + due        suspect  due
--   running    when its lease ends          ended      when it ended
CREATE TABLE jobs (
    id            BLOB    NOT NULL PRIMARY KEY,
    queue         INTEGER NOT NULL,
    state         INTEGER NOT NULL,
    rank          INTEGER NOT NULL,
    priority      INTEGER NOT NULL,
    attempt       INTEGER NOT NULL DEFAULT 0,
    losses        INTEGER NOT NULL DEFAULT 0,
    token         INTEGER NOT NULL DEFAULT 0,   -- the lease's fencing token, 64 bits read as signed
    cancel        INTEGER NOT NULL DEFAULT 0,   -- running, and somebody wants it cancelled
    solo          INTEGER NOT NULL DEFAULT 0,   -- running alone because of its losses
    run_at        INTEGER NOT NULL,             -- when it first was due: its age in the order if a worker is lost
    started_at    INTEGER,
    expires_at    INTEGER,
    unique_for    INTEGER NOT NULL DEFAULT 0,
    unknown_since INTEGER,
    unique_key    TEXT,
    kind          TEXT    NOT NULL,             -- '' if the record cannot be read
    errors        TEXT,                         -- JSON, the last ten
    result        TEXT,                         -- JSON
    snoozed       TEXT,
    envelope      BLOB    NOT NULL              -- as crates/job/src/wire.rs writes it, as in Redis; last, because long
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_in_order ON jobs (queue, state, rank);
CREATE INDEX jobs_to_cancel ON jobs (queue) WHERE cancel = 1;

-- Who holds a unique key. Written at enqueue, at the end of a job and at redrive; purged by housekeeping.
CREATE TABLE unique_keys (
    queue INTEGER NOT NULL,
    key   TEXT    NOT NULL,
    job   BLOB    NOT NULL,
    until INTEGER,                              -- NULL while the job lives
    PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX unique_keys_by_end ON unique_keys (until) WHERE until IS NOT NULL;

-- Ids that stay duplicates for a day even when their job was trimmed. Written at enqueue, purged by housekeeping.
CREATE TABLE once_ids (
    id    BLOB    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL,
    job   BLOB                                  -- the job that held its unique key and answered for it; NULL: itself
) STRICT, WITHOUT ROWID;

CREATE INDEX once_ids_by_end ON once_ids (until);

-- Idempotency keys and the job id that each reserved for a day. Written by reserve, purged by housekeeping.
CREATE TABLE reservations (
    scope  TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    digest BLOB    NOT NULL,                    -- SHA-256 of the payload
    job    BLOB    NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX reservations_by_end ON reservations (until);
