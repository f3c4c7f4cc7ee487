-- effects: shows, for trying and testing, that a job run twice acts once.
-- Written by: the job kind debug.effect. Read by: the debug route of the API.
CREATE TABLE effects (
    key     TEXT   PRIMARY KEY,
    -- How often the job ran.
    runs    BIGINT NOT NULL,
    -- How often its effect happened.
    effects BIGINT NOT NULL CHECK (effects = 1)
);
