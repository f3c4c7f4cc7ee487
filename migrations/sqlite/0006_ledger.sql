-- The ledger, completed: what a mail is to its reader, what it carries, and what people did to it.
-- SQLite: times are milliseconds since the Unix epoch, ids 16 bytes, JSON is text.

-- category: booking, account, security, alert or report. It decides the class (how long a mail is tried, and whether it is
--   sent again when its fate is unknown) and what people can unsubscribe from.
ALTER TABLE deliveries ADD COLUMN category TEXT NOT NULL DEFAULT 'booking'
    CHECK (category IN ('booking', 'account', 'security', 'alert', 'report'));
-- locale: BCP 47, as the recipient's; null is English.
ALTER TABLE deliveries ADD COLUMN locale TEXT;
-- calendar: the invitation that the mail carries, as mail::calendar reads it.
ALTER TABLE deliveries ADD COLUMN calendar TEXT;
-- email_id: groups the deliveries of one POST /v1/emails.
ALTER TABLE deliveries ADD COLUMN email_id BLOB;
-- content: what a caller gave to be sent, or values that nobody must read here; sealed (AEAD), bound to the row's id.
ALTER TABLE deliveries ADD COLUMN content BLOB;
-- headers_to: the To and Cc that are shown, where several recipients share a mail.
ALTER TABLE deliveries ADD COLUMN headers_to TEXT;

CREATE INDEX deliveries_by_email ON deliveries (email_id) WHERE email_id IS NOT NULL;

-- delivery_actions: one row an intervention from outside of any attempt.
-- Written by: whoever cancels, resends or resolves a mail, in the statement that does it.
-- Read by: the API and the command line.
CREATE TABLE delivery_actions (
    id          BLOB    PRIMARY KEY,
    delivery_id BLOB    NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    at          INTEGER NOT NULL,
    action      TEXT    NOT NULL CHECK (action IN ('cancel', 'resend', 'resolve_sent', 'resolve_failed')),
    -- The state before.
    found       TEXT    NOT NULL,
    -- An API key's name, the command line, a repaired domain, a lifted suppression.
    actor       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_actions_by_delivery ON delivery_actions (delivery_id, at);
