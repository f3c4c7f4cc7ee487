-- Silences: what is not told to anybody for a while.
-- SQLite: times are milliseconds since the Unix epoch, ids 16 bytes.

-- silences: one row a silence. Those that are over stay for a while, so that anyone can ask why nobody was told.
-- Written by: the API (also in Alertmanager's shapes), the command line.
-- Read by: the clockwork of alerts, before it tells; the listings.
CREATE TABLE silences (
    id         BLOB    PRIMARY KEY,
    -- As they are written: {team="db",host=~"a|b"}; all of them have to match.
    matchers   TEXT    NOT NULL,
    -- Who asked for it, in their own words.
    created_by TEXT    NOT NULL,
    comment    TEXT    NOT NULL,
    starts_at  INTEGER NOT NULL,
    -- From here it no longer mutes; ending it early moves it.
    ends_at    INTEGER NOT NULL CHECK (ends_at >= starts_at),
    -- An API key's name, or the command line: who wrote it, and who changed it last.
    actor      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX silences_by_end ON silences (ends_at);
CREATE INDEX silences_by_age ON silences (created_at, id);
