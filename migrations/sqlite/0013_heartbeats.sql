-- Heartbeats: what has to report regularly, and when it last did.
-- SQLite: times are milliseconds since the Unix epoch, ids 16 bytes.

-- heartbeats: one row a heartbeat.
-- Written by: the API and the command line (beat, define, remove), the workers (those of the configuration; late; told).
-- Read by: the workers' watch, the API, the command line.
CREATE TABLE heartbeats (
    name          TEXT    PRIMARY KEY,
    -- Who defines it: the configuration's are brought up to date when a worker starts, and changed nowhere else.
    origin        TEXT    NOT NULL CHECK (origin IN ('config', 'api')),
    -- It has to beat this often, and may be so much later.
    period_ms     INTEGER NOT NULL CHECK (period_ms > 0),
    grace_ms      INTEGER NOT NULL CHECK (grace_ms >= 0),
    severity      TEXT    NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    -- removed: the row goes as soon as its incident is over.
    state         TEXT    NOT NULL CHECK (state IN ('ok', 'late', 'removed')),
    -- Since when it is in this state.
    since         INTEGER NOT NULL,
    beats         INTEGER NOT NULL,
    -- Null: never yet.
    last_beat_at  INTEGER,
    -- From here on it is late: the last beat, or its making, and period and grace.
    due_at        INTEGER NOT NULL,
    -- Raised with each change of the state, and how far the incidents have heard of it.
    turn          INTEGER NOT NULL,
    told_turn     INTEGER NOT NULL,
    -- Who tells them now, and until when nobody else does.
    claim         BLOB,
    claimed_until INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CHECK ((claim IS NULL) = (claimed_until IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX heartbeats_due ON heartbeats (due_at) WHERE state = 'ok';
CREATE INDEX heartbeats_untold ON heartbeats (since) WHERE told_turn <> turn;
