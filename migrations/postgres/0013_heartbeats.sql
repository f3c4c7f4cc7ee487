-- Heartbeats: what has to report regularly, and when it last did.

-- heartbeats: one row a heartbeat.
-- Written by: the API and the command line (beat, define, remove), the workers (those of the configuration; late; told).
-- Read by: the workers' watch, the API, the command line.
CREATE TABLE heartbeats (
    name          TEXT        PRIMARY KEY,
    -- Who defines it: the configuration's are brought up to date when a worker starts, and changed nowhere else.
    origin        TEXT        NOT NULL CHECK (origin IN ('config', 'api')),
    -- It has to beat this often, and may be so much later.
    period_ms     BIGINT      NOT NULL CHECK (period_ms > 0),
    grace_ms      BIGINT      NOT NULL CHECK (grace_ms >= 0),
    severity      TEXT        NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    -- removed: the row goes as soon as its incident is over.
    state         TEXT        NOT NULL CHECK (state IN ('ok', 'late', 'removed')),
    -- Since when it is in this state.
    since         TIMESTAMPTZ NOT NULL,
    beats         BIGINT      NOT NULL,
    -- Null: never yet.
    last_beat_at  TIMESTAMPTZ,
    -- From here on it is late: the last beat, or its making, and period and grace.
    due_at        TIMESTAMPTZ NOT NULL,
    -- Raised with each change of the state, and how far the incidents have heard of it.
    turn          BIGINT      NOT NULL,
    told_turn     BIGINT      NOT NULL,
    -- Who tells them now, and until when nobody else does.
    claim         UUID,
    claimed_until TIMESTAMPTZ,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL,
    CHECK ((claim IS NULL) = (claimed_until IS NULL))
);

CREATE INDEX heartbeats_due ON heartbeats (due_at) WHERE state = 'ok';
CREATE INDEX heartbeats_untold ON heartbeats (since) WHERE told_turn <> turn;
