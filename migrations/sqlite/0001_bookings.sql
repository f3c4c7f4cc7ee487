-- What the marketplace told us about bookings, and what we made of it.
-- SQLite: times are milliseconds since the Unix epoch, ids 16 bytes, JSON is text.

-- booking_events: one row an accepted event, written before its job is enqueued (intent before enqueue).
-- Written by: the API (accepted), the booking jobs (applied, superseded), the sweep (sweep_from; failed, when the job
--   ended without applying the event).
-- Read by: the booking jobs, the sweep.
CREATE TABLE booking_events (
    booking_id   TEXT    NOT NULL,
    -- The marketplace's own version of the booking: the highest one wins. 2^53-1 is the largest exact JSON number.
    version      INTEGER NOT NULL CHECK (version BETWEEN 1 AND 9007199254740991),
    event        TEXT    NOT NULL CHECK (event IN ('confirmed', 'rescheduled', 'cancelled', 'completed', 'no_show')),
    -- SHA-256 of event and snapshot: tells a repeated request from another one under the same version.
    content_hash BLOB    NOT NULL,
    snapshot     TEXT    NOT NULL,
    -- The job that applies the event. Enqueueing it again under this id is harmless.
    job_id       BLOB    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('accepted', 'applied', 'superseded', 'failed')),
    received_at  INTEGER NOT NULL,
    -- From when on silence is suspicious: the sweep looks at accepted events whose sweep_from is long past.
    sweep_from   INTEGER NOT NULL,
    applied_at   INTEGER,
    -- What became of the job, for a failed event; kept while the event is on its way again, until it is applied.
    failure      TEXT,
    PRIMARY KEY (booking_id, version)
) STRICT;

CREATE INDEX booking_events_sweep ON booking_events (sweep_from) WHERE state = 'accepted';

-- bookings: the projection, one row a booking: its newest applied version.
-- Written by: the booking jobs, in the transaction that also writes their deliveries.
-- Read by: the API, the booking jobs.
CREATE TABLE bookings (
    id               TEXT    PRIMARY KEY,
    version          INTEGER NOT NULL,
    -- How often starts_at has changed: part of a reminder's key, so that only a move reminds again.
    moves            INTEGER NOT NULL,
    -- RFC 5545 §3.8.7.4 SEQUENCE: our own counter, one up with each applied version, 31 bits as calendars store it.
    sequence         INTEGER NOT NULL CHECK (sequence BETWEEN 0 AND 2147483647),
    status           TEXT    NOT NULL CHECK (status IN ('confirmed', 'cancelled', 'completed', 'no_show')),
    service          TEXT    NOT NULL,
    starts_at        INTEGER NOT NULL,
    duration_minutes INTEGER NOT NULL,
    location         TEXT,
    url              TEXT,
    -- The decimal text as it came: never a float.
    price_amount     TEXT,
    price_currency   TEXT,
    student          TEXT    NOT NULL,
    instructor       TEXT    NOT NULL,
    reason           TEXT,
    cancelled_by     TEXT    CHECK (cancelled_by IN ('student', 'instructor', 'platform')),
    -- Offsets such as ["24h", "1h"]; null is the platform's default, [] is none.
    reminders        TEXT,
    updated_at       INTEGER NOT NULL
) STRICT;
