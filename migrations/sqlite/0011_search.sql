-- What people searched for, what they did with what they found, and what is counted of it.
-- SQLite: times are milliseconds since the Unix epoch, ids 16 bytes, JSON is text.

-- searches: one row a search.
-- Written by: search.ingest (append only). Deleted by: store.retention, the erasure of a subject.
-- Read by: search.rollup, search.ingest (to find the search of an interaction), the export of a subject.
CREATE TABLE searches (
    -- The caller's own id: a UUID as it is, anything else by its hash (then given_id has the text).
    id          BLOB    NOT NULL,
    given_id    TEXT,
    occurred_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    -- Who searched: the hash of subject, by which searchers are told apart. Null without consent.
    searcher    BLOB,
    -- The user's id, or that of the guest's session. Null without consent.
    subject     TEXT,
    -- The hash of the session, in which a text that is being typed is followed. Null without consent.
    session     BLOB,
    guest       INTEGER NOT NULL,
    consent     INTEGER NOT NULL,
    -- As it is counted: lower case, single spaces.
    query       TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    device      TEXT    NOT NULL CHECK (device IN ('desktop', 'mobile', 'tablet', 'other')),
    results     INTEGER NOT NULL CHECK (results >= 0),
    -- A JSON object, as text.
    filters     TEXT,
    referrer    TEXT,
    -- The keyed hash of the address; its key changes with time. Null without consent.
    network     BLOB,
    PRIMARY KEY (id, occurred_at)
) STRICT;

CREATE INDEX searches_time ON searches (occurred_at);
CREATE INDEX searches_searcher ON searches (searcher) WHERE searcher IS NOT NULL;

-- search_interactions: one row a thing that was done with what a search found.
-- Written by: search.ingest (append), search.rollup (search_at, orphaned_at of those whose search was not known yet).
-- Read by: search.rollup, the export of a subject.
CREATE TABLE search_interactions (
    id          BLOB    NOT NULL,
    given_id    TEXT,
    occurred_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    search_id   BLOB    NOT NULL,
    -- When its search took place: with search_id the key of the search. Null while no such search is known.
    search_at   INTEGER,
    -- Since when it counts as one whose search is not known. Its search may still turn up.
    orphaned_at INTEGER,
    kind        TEXT    NOT NULL CHECK (kind IN ('view', 'click', 'hover', 'bookmark', 'contact', 'book')),
    item        TEXT,
    -- The place in the list, from 1.
    position    INTEGER CHECK (position >= 1),
    -- How long after the search, as the caller measured it.
    after_ms    INTEGER CHECK (after_ms >= 0),
    PRIMARY KEY (id, occurred_at)
) STRICT;

CREATE INDEX search_interactions_search ON search_interactions (search_at) WHERE search_at IS NOT NULL;
CREATE INDEX search_interactions_waiting ON search_interactions (occurred_at) WHERE search_at IS NULL;
CREATE INDEX search_interactions_wanted ON search_interactions (search_id) WHERE search_at IS NULL;

-- search_marks: windows with events that are not counted yet. Several rows a window, so that ingesting jobs do not wait
-- for each other; whoever marks gives the row a new token, and a roll-up takes away only what it has read.
-- Written by: search.ingest (hours), search.rollup (days).
-- Read by: search.rollup.
CREATE TABLE search_marks (
    granularity TEXT    NOT NULL CHECK (granularity IN ('hour', 'day')),
    starts_at   INTEGER NOT NULL,
    slot        INTEGER NOT NULL,
    token       BLOB    NOT NULL,
    marked_at   INTEGER NOT NULL,
    PRIMARY KEY (granularity, starts_at, slot)
) STRICT;

-- search_windows: one row a window that was counted. A count under a lower turn is older and is not written any more.
-- Written by: search.rollup, in the transaction that replaces the window's rows below.
-- Read by: search.rollup, the API.
CREATE TABLE search_windows (
    granularity TEXT    NOT NULL CHECK (granularity IN ('hour', 'day')),
    starts_at   INTEGER NOT NULL,
    turn        INTEGER NOT NULL,
    rolled_at   INTEGER NOT NULL,
    -- How many searches it holds: a large one is not counted again for every latecomer.
    searches    INTEGER NOT NULL,
    PRIMARY KEY (granularity, starts_at)
) STRICT;

-- search_metrics: what was counted in a window, for all and by kind and device ('*' is all of them). Formulas are in
-- docs/SEARCH.md.
-- Written by: search.rollup. Read by: the API, search.report.
CREATE TABLE search_metrics (
    granularity        TEXT    NOT NULL CHECK (granularity IN ('hour', 'day')),
    starts_at          INTEGER NOT NULL,
    kind               TEXT    NOT NULL,
    device             TEXT    NOT NULL,
    searches           INTEGER NOT NULL,
    guest_searches     INTEGER NOT NULL,
    unique_searchers   INTEGER NOT NULL,
    zero_results       INTEGER NOT NULL,
    clicked            INTEGER NOT NULL,
    positions          INTEGER NOT NULL,
    position_sum       INTEGER NOT NULL,
    reciprocal_sum     REAL    NOT NULL,
    booked             INTEGER NOT NULL,
    guest_booked       INTEGER NOT NULL,
    abandoned          INTEGER NOT NULL,
    results_median     REAL,
    results_p90        REAL,
    first_click_median REAL,
    first_click_p90    REAL,
    folded             INTEGER NOT NULL,
    orphans            INTEGER NOT NULL,
    PRIMARY KEY (granularity, starts_at, kind, device)
) STRICT;

-- search_queries: what was counted of each query in a window.
-- Written by: search.rollup. Deleted by: store.retention (hours).
-- Read by: the API, search.report.
CREATE TABLE search_queries (
    granularity  TEXT    NOT NULL CHECK (granularity IN ('hour', 'day')),
    starts_at    INTEGER NOT NULL,
    query        TEXT    NOT NULL,
    searches     INTEGER NOT NULL,
    zero_results INTEGER NOT NULL,
    few_results  INTEGER NOT NULL,
    clicked      INTEGER NOT NULL,
    booked       INTEGER NOT NULL,
    PRIMARY KEY (granularity, starts_at, query)
) STRICT;

-- search_erasures: subjects that were erased: what they did before and still waits in a queue is not written any more.
-- Written by: the erasure of a subject. Deleted by: store.retention.
-- Read by: search.ingest.
CREATE TABLE search_erasures (
    -- The hash of the subject, as searches.searcher.
    subject   BLOB    PRIMARY KEY,
    erased_at INTEGER NOT NULL
) STRICT;

-- search_state: one row. The turns that roll-ups have drawn, and how far the guests' searches have been taken out.
-- Written by: search.rollup, store.retention.
CREATE TABLE search_state (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    turn         INTEGER NOT NULL,
    guests_until INTEGER
) STRICT;

INSERT INTO search_state (one, turn) VALUES (1, 0);
