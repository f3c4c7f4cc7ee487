-- api_keys: who may call the API, and what for. The key itself is shown once and never stored.
-- Written by: the command line and the API (create, revoke), the API's authentication (last_used_at).
-- Read by: the API's authentication, the listings.
CREATE TABLE api_keys (
    id              UUID        PRIMARY KEY,
    name            TEXT        NOT NULL,
    -- The first characters of the key, so that a person recognises it in a list.
    prefix          TEXT        NOT NULL,
    -- SHA-256 of the whole key. The key has 256 random bits, so a slow hash would add nothing.
    sha256          BYTEA       NOT NULL UNIQUE,
    scopes          JSONB       NOT NULL,
    -- Requests a second; null is the configured default.
    rate_per_second BIGINT,
    created_at      TIMESTAMPTZ NOT NULL,
    revoked_at      TIMESTAMPTZ,
    last_used_at    TIMESTAMPTZ
);
