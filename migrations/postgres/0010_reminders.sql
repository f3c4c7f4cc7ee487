-- Reminders, and the mails of a booking's life.
--
-- A reminder is claimed by its mail: the row in deliveries under the key booking:{id}:m{moves}:reminder:{offset}:{role}.
-- So there is no table of reminders: what is due follows from the projection, what was done stands in the ledger.

-- bookings.
-- start_known_at, previous_starts_at, next_reminder_at are written by: the booking jobs; next_reminder_at also by the scan
--   for reminders and by the reconciliation. Read by: the same, and the API.
ALTER TABLE bookings
    -- When this start, of a booking that stands, became known: a reminder that was due before is not sent.
    ADD COLUMN start_known_at     TIMESTAMPTZ NOT NULL DEFAULT to_timestamp(0),
    -- The start before the last move.
    ADD COLUMN previous_starts_at TIMESTAMPTZ,
    -- When the scan has to look at this booking next; null when nothing will be due any more.
    ADD COLUMN next_reminder_at   TIMESTAMPTZ;

-- What is there already is looked at by the first scan.
UPDATE bookings
SET start_known_at = updated_at, next_reminder_at = CASE WHEN status = 'confirmed' THEN updated_at END;

CREATE INDEX bookings_next_reminder ON bookings (next_reminder_at) WHERE next_reminder_at IS NOT NULL;
-- For the reconciliation: what is to take place, by its start.
CREATE INDEX bookings_upcoming ON bookings (starts_at, id) WHERE status = 'confirmed';
CREATE INDEX booking_events_received ON booking_events (received_at, booking_id, version);

-- deliveries.
ALTER TABLE deliveries
    -- Before this the mail is not sent; null: at once.
    ADD COLUMN send_at         TIMESTAMPTZ,
    -- The version of the booking that the mail tells of: a newer one makes it untrue while it waits.
    ADD COLUMN booking_version BIGINT,
    -- For a reminder: which start it is about, counted as in bookings.moves.
    ADD COLUMN booking_moves   BIGINT;
