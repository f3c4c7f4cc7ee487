-- What counts are made of goes with its age: a window that is counted again must know whether all of it is still there.

-- queries_until: hourly counts of queries from before this may be gone: a day from before it is counted from its events.
-- events_until:  searches from before this may be gone, as those of guests before guests_until: what was counted stands.
-- Written by: store.retention, with what it takes out. Read by: search.rollup.
ALTER TABLE search_state ADD COLUMN queries_until INTEGER;
ALTER TABLE search_state ADD COLUMN events_until INTEGER;

-- Interactions that wait for their search, and those that have become orphans lately: a piece at a time, in this order.
CREATE INDEX search_interactions_unsettled ON search_interactions (received_at, occurred_at, id)
    WHERE search_at IS NULL AND orphaned_at IS NULL;
CREATE INDEX search_interactions_orphaned ON search_interactions (orphaned_at, occurred_at, id)
    WHERE search_at IS NULL AND orphaned_at IS NOT NULL;
