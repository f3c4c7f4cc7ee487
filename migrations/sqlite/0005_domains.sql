-- The domains that mail is sent from, and whether it would authenticate.
-- SQLite: times are milliseconds since the Unix epoch, ids 16 bytes, JSON is text.

-- domains: one row a domain, made by its first check.
-- Written by: the check of a domain (all but selector), `domain rotate` (selector).
-- Read by: the e-mail job, before each mail; the checks, the API, the command line.
CREATE TABLE domains (
    name              TEXT        PRIMARY KEY,
    -- unchecked: no check came to an answer yet. verified: the last answer was good. suspect: it was bad, and has to be
    -- confirmed. failed: it was bad twice.
    state             TEXT        NOT NULL CHECK (state IN ('unchecked', 'verified', 'suspect', 'failed')),
    -- Raised with every change: who writes says which one it saw.
    revision          INTEGER     NOT NULL,
    checked_at        INTEGER,
    -- When a check was last good.
    verified_at       INTEGER,
    -- Since when checks are bad, without a good one between.
    failing_since     INTEGER,
    -- Checks in a row that came to no answer: the DNS was away.
    unclear_in_a_row  INTEGER     NOT NULL,
    next_check_at     INTEGER,
    -- Set while the operators know that mail is held.
    told              INTEGER     NOT NULL,
    -- Why mail is held or warned of, in one line.
    reason            TEXT,
    -- The findings of the last check.
    report            TEXT,
    -- The DKIM selector that signs, once it was rotated; before that the configuration says.
    selector          TEXT,
    previous_selector TEXT,
    switched_at       INTEGER
) STRICT;

-- domain_checks: what was found and when; a row for each check that found something else than the one before it.
-- Written by: the check of a domain, which also removes rows that are months old.
-- Read by: the API, the command line.
CREATE TABLE domain_checks (
    id         BLOB        PRIMARY KEY,
    domain     TEXT        NOT NULL REFERENCES domains (name) ON DELETE CASCADE,
    checked_at INTEGER     NOT NULL,
    -- Why it was looked at: start, due, first_send, reply, request, schedule.
    cause      TEXT        NOT NULL,
    verdict    TEXT        NOT NULL CHECK (verdict IN ('pass', 'unclear', 'fail')),
    state      TEXT        NOT NULL,
    report     TEXT        NOT NULL
) STRICT;

CREATE INDEX domain_checks_by_age ON domain_checks (domain, checked_at, id);
