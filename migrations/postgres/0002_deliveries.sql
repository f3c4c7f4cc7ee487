-- The mail ledger: what was to be sent to whom, and what became of it.

-- deliveries: one row a mail to one person, written in the transaction that decides to send it.
-- Written by: the jobs that fan out and the API (queued), the e-mail job (everything after), the API and the command line
--   (cancel, release, resolve), the sweep (sweep_from; the end of a mail whose job ended without sending it).
-- Read by: the e-mail job, the API, the sweep.
CREATE TABLE deliveries (
    id              UUID        PRIMARY KEY,
    -- Says what the mail is for, e.g. booking:bk_1:v3:booking_confirmed:student. A second row under it is never written.
    idempotency_key TEXT        NOT NULL UNIQUE,
    template        TEXT        NOT NULL,
    -- The sender profile, not an address.
    sender          TEXT        NOT NULL,
    -- The sender's class: decides, among other things, whether a mail whose fate is unknown is sent again.
    class           TEXT        NOT NULL,
    recipient       TEXT        NOT NULL,
    -- recipient in lower case, for looking a person up.
    recipient_key   TEXT        NOT NULL,
    recipient_name  TEXT,
    -- What the template is filled with.
    data            JSONB       NOT NULL,
    booking_id      TEXT,
    state           TEXT        NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'deferred', 'held', 'suppressed',
                                                          'cancelled', 'expired', 'failed', 'unknown')),
    -- While sending: 'envelope' until the receiver answered DATA with 354, then 'data' (RFC 5321 §4.1.1.4).
    phase           TEXT        CHECK (phase IN ('envelope', 'data')),
    -- The queue lease under which the current attempt runs: who does not hold it changes nothing. All 64 bits are used.
    lease_token     BIGINT,
    -- Raised each time a person or a repaired domain sets the mail on its way again: part of the job's key.
    release         BIGINT      NOT NULL,
    attempts        BIGINT      NOT NULL,
    -- When the current or last attempt began.
    begun_at        TIMESTAMPTZ,
    -- Subject, Message-ID and Date as they went over the wire: the same in every attempt.
    subject         TEXT,
    message_id      TEXT,
    mail_date       TIMESTAMPTZ,
    job_id          UUID        NOT NULL,
    -- After this the mail is worth nothing.
    deadline        TIMESTAMPTZ,
    next_attempt_at TIMESTAMPTZ,
    last_error      TEXT,
    -- Set on a mail that ended only because its job did: redriven, that job takes the mail up again.
    job_ended       TEXT        CHECK (job_ended IS NULL OR (job_ended IN ('dead', 'cancelled', 'expired')
                                                         AND state IN ('failed', 'cancelled', 'expired'))),
    created_at      TIMESTAMPTZ NOT NULL,
    touched_at      TIMESTAMPTZ NOT NULL,
    -- From when on silence is suspicious (a deferred mail is silent on purpose until next_attempt_at).
    sweep_from      TIMESTAMPTZ NOT NULL,
    sent_at         TIMESTAMPTZ
) WITH (fillfactor = 80);

CREATE INDEX deliveries_sweep ON deliveries (sweep_from) WHERE state IN ('queued', 'sending', 'deferred');
CREATE INDEX deliveries_by_age ON deliveries (created_at, id);
CREATE INDEX deliveries_by_recipient ON deliveries (recipient_key, created_at, id);
CREATE INDEX deliveries_by_booking ON deliveries (booking_id, created_at, id) WHERE booking_id IS NOT NULL;
-- Only the states off the main path: a mail that is queued, sent and done with never enters this index.
CREATE INDEX deliveries_by_state ON deliveries (state, created_at, id)
    WHERE state IN ('deferred', 'held', 'suppressed', 'cancelled', 'expired', 'failed', 'unknown');

-- delivery_attempts: one row a finished (or lost) attempt.
-- Written by: the e-mail job, with the state that the attempt led to.
-- Read by: the API.
CREATE TABLE delivery_attempts (
    delivery_id UUID        NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    n           BIGINT      NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL,
    relay       TEXT,
    -- Where in the conversation it ended: connect, tls, mail, rcpt, data, reply …
    phase       TEXT,
    -- Reply code (RFC 5321 §4.2), enhanced code (RFC 3463) and the text after them.
    code        BIGINT,
    enhanced    TEXT,
    text        TEXT,
    duration_ms BIGINT      NOT NULL,
    outcome     TEXT        NOT NULL,
    PRIMARY KEY (delivery_id, n)
);
