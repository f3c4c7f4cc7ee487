-- What people searched for, what they did with what they found, and what is counted of it.

-- searches: one row a search. A partition a month, made ahead by the jobs below, dropped as a whole by retention.
-- Written by: search.ingest (append only). Deleted by: store.retention, the erasure of a subject.
-- Read by: search.rollup, search.ingest (to find the search of an interaction), the export of a subject.
CREATE TABLE searches (
    -- The caller's own id: a UUID as it is, anything else by its hash (then given_id has the text).
    id          UUID        NOT NULL,
    given_id    TEXT,
    occurred_at TIMESTAMPTZ NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    -- Who searched: the hash of subject, by which searchers are told apart. Null without consent.
    searcher    UUID,
    -- The user's id, or that of the guest's session. Null without consent.
    subject     TEXT,
    -- The hash of the session, in which a text that is being typed is followed. Null without consent.
    session     UUID,
    guest       BOOLEAN     NOT NULL,
    consent     BOOLEAN     NOT NULL,
    -- As it is counted: lower case, single spaces.
    query       TEXT        NOT NULL,
    kind        TEXT        NOT NULL,
    device      TEXT        NOT NULL CHECK (device IN ('desktop', 'mobile', 'tablet', 'other')),
    results     BIGINT      NOT NULL CHECK (results >= 0),
    -- A JSON object, as text.
    filters     TEXT,
    referrer    TEXT,
    -- The keyed hash of the address; its key changes with time. Null without consent.
    network     UUID,
    -- A primary key of a partitioned table must hold what it is partitioned by.
    PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);

CREATE INDEX searches_time ON searches (occurred_at);
CREATE INDEX searches_searcher ON searches (searcher) WHERE searcher IS NOT NULL;

-- search_interactions: one row a thing that was done with what a search found. Partitions as above.
-- Written by: search.ingest (append), search.rollup (search_at, orphaned_at of those whose search was not known yet).
-- Read by: search.rollup, the export of a subject.
CREATE TABLE search_interactions (
    id          UUID        NOT NULL,
    given_id    TEXT,
    occurred_at TIMESTAMPTZ NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    search_id   UUID        NOT NULL,
    -- When its search took place: with search_id the key of the search. Null while no such search is known.
    search_at   TIMESTAMPTZ,
    -- Since when it counts as one whose search is not known. Its search may still turn up.
    orphaned_at TIMESTAMPTZ,
    kind        TEXT        NOT NULL CHECK (kind IN ('view', 'click', 'hover', 'bookmark', 'contact', 'book')),
    item        TEXT,
    -- The place in the list, from 1.
    position    BIGINT      CHECK (position >= 1),
    -- How long after the search, as the caller measured it.
    after_ms    BIGINT      CHECK (after_ms >= 0),
    PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);

CREATE INDEX search_interactions_search ON search_interactions (search_at) WHERE search_at IS NOT NULL;
CREATE INDEX search_interactions_waiting ON search_interactions (occurred_at) WHERE search_at IS NULL;
CREATE INDEX search_interactions_wanted ON search_interactions (search_id) WHERE search_at IS NULL;

-- Makes the partition of a month, if it is not there. Built beside its parent and attached: nobody waits for it.
CREATE FUNCTION search_partition(parent TEXT, at TIMESTAMPTZ) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    month TIMESTAMP := date_trunc('month', at AT TIME ZONE 'UTC');
    name  TEXT      := parent || to_char(month, '_YYYY_MM');
BEGIN
    IF EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = parent::regclass AND c.relname = name) THEN
        RETURN FALSE;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('postrider ' || name));
    -- Whoever had the lock may have made it.
    IF EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = parent::regclass AND c.relname = name) THEN
        RETURN FALSE;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', name, parent);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name,
        to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
    RETURN TRUE;
END
$$;

SELECT search_partition(parent, date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + n * interval '1 month')
FROM unnest(ARRAY['searches', 'search_interactions']) AS parent, generate_series(-1, 2) AS n;

-- search_marks: windows with events that are not counted yet. Several rows a window, so that ingesting jobs do not wait
-- for each other; whoever marks gives the row a new token, and a roll-up takes away only what it has read.
-- Written by: search.ingest (hours), search.rollup (days).
-- Read by: search.rollup.
CREATE TABLE search_marks (
    granularity TEXT        NOT NULL CHECK (granularity IN ('hour', 'day')),
    starts_at   TIMESTAMPTZ NOT NULL,
    slot        BIGINT      NOT NULL,
    token       UUID        NOT NULL,
    marked_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (granularity, starts_at, slot)
);

-- search_windows: one row a window that was counted. A count under a lower turn is older and is not written any more.
-- Written by: search.rollup, in the transaction that replaces the window's rows below.
-- Read by: search.rollup, the API.
CREATE TABLE search_windows (
    granularity TEXT        NOT NULL CHECK (granularity IN ('hour', 'day')),
    starts_at   TIMESTAMPTZ NOT NULL,
    turn        BIGINT      NOT NULL,
    rolled_at   TIMESTAMPTZ NOT NULL,
    -- How many searches it holds: a large one is not counted again for every latecomer.
    searches    BIGINT      NOT NULL,
    PRIMARY KEY (granularity, starts_at)
);

-- search_metrics: what was counted in a window, for all and by kind and device ('*' is all of them). Formulas are in
-- docs/SEARCH.md.
-- Written by: search.rollup. Read by: the API, search.report.
CREATE TABLE search_metrics (
    granularity        TEXT             NOT NULL CHECK (granularity IN ('hour', 'day')),
    starts_at          TIMESTAMPTZ      NOT NULL,
    kind               TEXT             NOT NULL,
    device             TEXT             NOT NULL,
    searches           BIGINT           NOT NULL,
    guest_searches     BIGINT           NOT NULL,
    unique_searchers   BIGINT           NOT NULL,
    zero_results       BIGINT           NOT NULL,
    clicked            BIGINT           NOT NULL,
    positions          BIGINT           NOT NULL,
    position_sum       BIGINT           NOT NULL,
    reciprocal_sum     DOUBLE PRECISION NOT NULL,
    booked             BIGINT           NOT NULL,
    guest_booked       BIGINT           NOT NULL,
    abandoned          BIGINT           NOT NULL,
    results_median     DOUBLE PRECISION,
    results_p90        DOUBLE PRECISION,
    first_click_median DOUBLE PRECISION,
    first_click_p90    DOUBLE PRECISION,
    folded             BIGINT           NOT NULL,
    orphans            BIGINT           NOT NULL,
    PRIMARY KEY (granularity, starts_at, kind, device)
);

-- search_queries: what was counted of each query in a window.
-- Written by: search.rollup. Deleted by: store.retention (hours).
-- Read by: the API, search.report.
CREATE TABLE search_queries (
    granularity  TEXT             NOT NULL CHECK (granularity IN ('hour', 'day')),
    starts_at    TIMESTAMPTZ      NOT NULL,
    query        TEXT COLLATE "C" NOT NULL,
    searches     BIGINT           NOT NULL,
    zero_results BIGINT           NOT NULL,
    few_results  BIGINT           NOT NULL,
    clicked      BIGINT           NOT NULL,
    booked       BIGINT           NOT NULL,
    PRIMARY KEY (granularity, starts_at, query)
);

-- search_erasures: subjects that were erased: what they did before and still waits in a queue is not written any more.
-- Written by: the erasure of a subject. Deleted by: store.retention.
-- Read by: search.ingest.
CREATE TABLE search_erasures (
    -- The hash of the subject, as searches.searcher.
    subject   UUID        PRIMARY KEY,
    erased_at TIMESTAMPTZ NOT NULL
);

-- search_state: one row. The turns that roll-ups have drawn, and how far the guests' searches have been taken out.
-- Written by: search.rollup, store.retention.
CREATE TABLE search_state (
    one          BIGINT      PRIMARY KEY CHECK (one = 1),
    turn         BIGINT      NOT NULL,
    guests_until TIMESTAMPTZ
);

INSERT INTO search_state (one, turn) VALUES (1, 0);
