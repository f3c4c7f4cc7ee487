-- effects: shows, for trying and testing, that a job run twice acts once.
-- SQLite: times are milliseconds since the Unix epoch, ids 16 bytes, JSON is text.
-- Written by: the job kind debug.effect. Read by: the debug route of the API.
CREATE TABLE effects (
    key     TEXT    PRIMARY KEY,
    -- How often the job ran.
    runs    INTEGER NOT NULL,
    -- How often its effect happened.
    effects INTEGER NOT NULL CHECK (effects = 1)
) STRICT, WITHOUT ROWID;
