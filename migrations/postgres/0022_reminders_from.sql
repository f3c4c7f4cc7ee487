-- Reminders that a later version of a booking asks for.

-- bookings.reminders_from: where a later version asks for other reminders, those that were due before this are not made up
--   for; null: nothing of the kind. Written by: the booking jobs. Read by: the same, the scan for reminders, the
--   reconciliation, the API.
-- bookings.previous_starts_at is from now on the start before, if the newest version moved it; null otherwise.
ALTER TABLE bookings ADD COLUMN reminders_from TIMESTAMPTZ;
