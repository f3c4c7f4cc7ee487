-- Schedules, what they have fired, and who may fire them.
-- SQLite: times are milliseconds since the Unix epoch, ids 16 bytes, JSON is text.

-- schedules: one row a schedule.
-- Written by: the leading scheduler (those of the configuration; decided_until), the API and the command line (create,
--   change, pause, resume, delete), the workers (failures).
-- Read by: the scheduler, the API, the command line.
CREATE TABLE schedules (
    name            TEXT    PRIMARY KEY,
    -- Who defines it: the configuration's are brought up to date at each start, and changed nowhere else.
    origin          TEXT    NOT NULL CHECK (origin IN ('config', 'api')),
    -- Five or six fields, or @every.
    cron            TEXT    NOT NULL,
    -- IANA name.
    timezone        TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    queue           TEXT    NOT NULL,
    args            TEXT    NOT NULL,
    -- What becomes of ticks that nobody fired in time, and how late they may be.
    catch_up        TEXT    NOT NULL CHECK (catch_up IN ('none', 'once', 'all')),
    max_lateness_ms INTEGER NOT NULL,
    -- What becomes of a tick while the job of an earlier one is not done.
    overlap         TEXT    NOT NULL CHECK (overlap IN ('allow', 'skip', 'queue_one')),
    jitter_ms       INTEGER NOT NULL,
    -- So many failures in a row pause it; null is never.
    failure_limit   INTEGER,
    -- Raised with each change of the columns above: a scheduler that knows an older one fires nothing.
    revision        INTEGER NOT NULL,
    -- Every planned instant up to here has been decided.
    decided_until   INTEGER NOT NULL,
    -- Failures since the last success.
    failures        INTEGER NOT NULL,
    paused_at       INTEGER,
    paused_by       TEXT    CHECK (paused_by IN ('operator', 'failures')),
    pause_reason    TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    CHECK ((paused_at IS NULL) = (paused_by IS NULL))
) STRICT, WITHOUT ROWID;

-- schedule_ticks: one row an instant at which a schedule fired, or was to fire. It holds all that its job is made of: the
-- job can be made again from the row at any time.
-- Written by: the leading scheduler under its epoch (planned, catch_up; waiting → open), the API and the command line
--   (run, backfill), the workers and the sweep (the end).
-- Read by: the scheduler, the sweep, the workers, the API. It outlives its schedule until retention takes it.
CREATE TABLE schedule_ticks (
    schedule     TEXT    NOT NULL,
    planned_at   INTEGER NOT NULL,
    -- waiting: behind the job of an earlier tick. open: its job is to be done. skipped: it never had a job.
    state        TEXT    NOT NULL CHECK (state IN ('waiting', 'open', 'done', 'failed', 'cancelled', 'expired', 'skipped')),
    cause        TEXT    NOT NULL CHECK (cause IN ('planned', 'catch_up', 'run', 'backfill')),
    -- Why it was skipped, failed, or stands for others.
    note         TEXT,
    kind         TEXT    NOT NULL,
    queue        TEXT    NOT NULL,
    args         TEXT    NOT NULL,
    max_attempts INTEGER NOT NULL,
    timeout_ms   INTEGER NOT NULL,
    -- The planned instant and its share of the jitter.
    run_at       INTEGER NOT NULL,
    job_id       BLOB    NOT NULL,
    -- Of the leader that wrote it; null where a person did.
    epoch        INTEGER,
    created_at   INTEGER NOT NULL,
    -- From when on silence is suspicious.
    sweep_from   INTEGER NOT NULL,
    ended_at     INTEGER,
    -- An instant of a schedule is written once, however many schedulers there are.
    PRIMARY KEY (schedule, planned_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX schedule_ticks_sweep ON schedule_ticks (sweep_from) WHERE state = 'open';
CREATE INDEX schedule_ticks_unfinished ON schedule_ticks (schedule, state, planned_at) WHERE state IN ('open', 'waiting');
CREATE INDEX schedule_ticks_by_age ON schedule_ticks (created_at);

-- scheduler_lease: one row: who fires, under which epoch, until when. Correct firing rests on the epoch and the primary
-- key above, never on clocks agreeing; the time only says when another may try.
-- Written by: the schedulers (take, renew, release), whoever changes a schedule (changes).
-- Read by: the schedulers.
CREATE TABLE scheduler_lease (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    epoch      INTEGER NOT NULL,
    holder     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    -- Raised with each change of a schedule, so that the leader knows when to read them again.
    changes    INTEGER NOT NULL
) STRICT;
INSERT INTO scheduler_lease (id, epoch, holder, expires_at, changes) VALUES (1, 0, '', 0, 0);

-- Retention: what grows old is found by its age. A mail's content is taken out long before its row.
ALTER TABLE deliveries ADD COLUMN content_removed_at INTEGER;
CREATE INDEX deliveries_with_content ON deliveries (created_at) WHERE content_removed_at IS NULL;
CREATE INDEX booking_events_by_age ON booking_events (received_at);
