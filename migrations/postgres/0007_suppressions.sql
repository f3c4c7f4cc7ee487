-- Who must not be written to, and what was learned about a mail after it left.

-- suppressions: one row a reason not to write to an address. Lifted ones stay, so that anyone can ask why.
-- Written by: the API and the command line (manual, lifted), the e-mail job and bounces that came back (hard_bounce),
--   complaints, the page behind a mail's unsubscribe link.
-- Read by: the e-mail job, before each mail; the listings.
CREATE TABLE suppressions (
    id           UUID        PRIMARY KEY,
    -- In lower case. Null once the person was erased: then address_hash alone recognises the address.
    address      TEXT,
    -- A keyed hash (HMAC) of the address; null where no key is configured.
    address_hash TEXT,
    -- Which mails: all of them, or only those of the category that people can unsubscribe from.
    covers       TEXT        NOT NULL CHECK (covers IN ('all', 'report')),
    reason       TEXT        NOT NULL CHECK (reason IN ('hard_bounce', 'complaint', 'unsubscribe', 'manual')),
    detail       TEXT,
    -- The mail that led to it.
    delivery_id  UUID,
    -- An API key's name, the command line, a bounce, the reader.
    actor        TEXT        NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    lifted_at    TIMESTAMPTZ,
    lifted_by    TEXT
);

CREATE UNIQUE INDEX suppressions_in_force ON suppressions (address, covers) WHERE lifted_at IS NULL;
CREATE INDEX suppressions_of_erased ON suppressions (address_hash) WHERE lifted_at IS NULL AND address IS NULL;
CREATE INDEX suppressions_by_age ON suppressions (created_at, id);
CREATE INDEX suppressions_by_address ON suppressions (address, created_at, id) WHERE address IS NOT NULL;

-- delivery_events: one row a thing that was learned about a mail outside of its attempts.
-- Written by: bounces and complaints that came back, the unsubscribe page, the e-mail job (redirected).
-- Read by: the API and the command line, in a mail's history.
CREATE TABLE delivery_events (
    id          UUID        PRIMARY KEY,
    delivery_id UUID        NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    at          TIMESTAMPTZ NOT NULL,
    kind        TEXT        NOT NULL CHECK (kind IN ('bounce', 'delayed', 'delivered', 'complaint', 'unsubscribe',
                                                     'redirected')),
    -- Whether the report proved that it is about this mail. One that did not is recorded and believed nothing.
    verified    BOOLEAN     NOT NULL,
    -- RFC 3463, such as 5.1.1.
    status      TEXT,
    text        TEXT,
    -- SHA-256 of what was reported: the same report twice is one row.
    digest      BYTEA       NOT NULL,
    UNIQUE (delivery_id, digest)
);

-- People are looked for by their address when they are erased or want to know what is kept of them.
CREATE INDEX bookings_by_student ON bookings (lower(student->>'email'));
CREATE INDEX bookings_by_instructor ON bookings (lower(instructor->>'email'));
