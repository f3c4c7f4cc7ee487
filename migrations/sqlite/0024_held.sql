-- Held mail, found by its sender: every worker looks every few seconds whether some of it may leave.

CREATE INDEX deliveries_held ON deliveries (sender, created_at, id) WHERE state = 'held';
