-- Whether mail of a domain authenticates by a further relay, and finding what callers gave when its time is over.

-- domain_relays: one row a domain and further relay (mail.fallback). The row of the domain itself is about the first relay.
-- Written by: the check of a domain, all rows of a domain at a time.
-- Read by: the e-mail job, before it gives a mail to that relay; the checks, the API, the command line.
CREATE TABLE domain_relays (
    domain           TEXT        NOT NULL REFERENCES domains (name) ON DELETE CASCADE,
    -- The relay's name, as in the ledger: host:port.
    relay            TEXT        NOT NULL,
    -- As in domains.
    state            TEXT        NOT NULL CHECK (state IN ('unchecked', 'verified', 'suspect', 'failed')),
    checked_at       TIMESTAMPTZ,
    verified_at      TIMESTAMPTZ,
    failing_since    TIMESTAMPTZ,
    unclear_in_a_row BIGINT      NOT NULL,
    next_check_at    TIMESTAMPTZ,
    -- Set while the operators know that it cannot take over.
    told             BOOLEAN     NOT NULL,
    reason           TEXT,
    PRIMARY KEY (domain, relay)
);

-- What callers gave to be sent is removed when it is old; most of it is gone already.
CREATE INDEX emails_with_content ON emails (created_at) WHERE content IS NOT NULL;
