-- Mail that callers of the API give us to send.

-- emails: one row a call that was accepted; its deliveries, one a recipient, point to it.
-- Written by: the API, in the transaction that writes the deliveries; erasing a person.
-- Read by: the e-mail job (content), the API.
CREATE TABLE emails (
    id              UUID        PRIMARY KEY,
    -- The API key's id, the route and the caller's Idempotency-Key. Cleared when another email takes the key after 24 hours.
    idempotency_key TEXT UNIQUE,
    -- SHA-256 of the request: tells a repeated one from another one under the same key.
    payload_hash    BYTEA NOT NULL,
    -- The sender profile.
    sender          TEXT NOT NULL,
    -- The template; null where the caller gave the text.
    template        TEXT,
    -- Subject, texts, data, attachments and the like: sealed (AEAD), bound to this row's id. Null once erased.
    content         BYTEA,
    -- {"to": […], "cc": […], "bcc": […]}, as they were given.
    recipients      JSONB NOT NULL,
    -- The caller's own labels: {"name": "value"}.
    tags            JSONB NOT NULL,
    -- Not to be sent before; null: at once.
    send_at         TIMESTAMPTZ,
    created_at      TIMESTAMPTZ NOT NULL
);

CREATE INDEX emails_by_age ON emails (created_at, id);
