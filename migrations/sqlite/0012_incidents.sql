-- Incidents: what alerts are about, who is to be told of them, and what was told.
-- SQLite: times are milliseconds since the Unix epoch, ids 16 bytes, JSON is text.

-- incidents: one row a thing that is, or was, wrong.
-- Written by: the intake of alerts (open, count, resolve), people (acknowledge, resolve), the clockwork of alerts (expire).
-- Read by: the clockwork, the API, the command line.
CREATE TABLE incidents (
    id              BLOB    PRIMARY KEY,
    -- The type and the labels of its alerts, hashed: alerts with the same belong to the same incident.
    fingerprint     TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    severity        TEXT    NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    -- As the last alert told it.
    title           TEXT    NOT NULL,
    message         TEXT    NOT NULL,
    labels          TEXT    NOT NULL,
    details         TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
    -- Alerts that said that it burns; and those of them that nobody was told of one by one, because it was known or silenced.
    alerts          INTEGER NOT NULL,
    suppressed      INTEGER NOT NULL,
    -- How often it came back soon after it was over.
    reopened        INTEGER NOT NULL,
    -- When it began, as its sender told.
    starts_at       INTEGER NOT NULL,
    first_seen_at   INTEGER NOT NULL,
    -- When it was last opened or re-opened.
    opened_at       INTEGER NOT NULL,
    last_seen_at    INTEGER NOT NULL,
    -- Not heard of until then, it is over; null: only somebody's word ends it.
    expires_at      INTEGER,
    acknowledged_at INTEGER,
    acknowledged_by TEXT,
    resolved_at     INTEGER,
    resolved_by     TEXT,
    -- When a later incident took over its fingerprint.
    retired_at      INTEGER
) STRICT;

-- One incident a fingerprint is the one that alerts belong to.
CREATE UNIQUE INDEX incidents_current ON incidents (fingerprint) WHERE retired_at IS NULL;
CREATE INDEX incidents_by_age ON incidents (first_seen_at, id);
CREATE INDEX incidents_by_state ON incidents (state, first_seen_at, id);
CREATE INDEX incidents_opened ON incidents (opened_at);
CREATE INDEX incidents_expiring ON incidents (expires_at) WHERE state <> 'resolved' AND expires_at IS NOT NULL;

-- incident_events: what happened to an incident, one row a thing. Alerts that only repeat are counted, not written here;
-- what was told stands in alert_notifications.
-- Written by: whoever changes the incident, in the same transaction.
-- Read by: the API, the command line.
CREATE TABLE incident_events (
    id          BLOB    PRIMARY KEY,
    incident_id BLOB    NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    at          INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    -- Who did it; null: an alert, or the passing of time.
    actor       TEXT,
    note        TEXT
) STRICT;

CREATE INDEX incident_events_by_incident ON incident_events (incident_id, at, id);

-- alert_groups: incidents of one route with the same values of its grouping labels, told together. There is a row as long
-- as one of them is open or its end is not told.
-- Written by: the intake (due), the clockwork (all).
-- Read by: the clockwork.
CREATE TABLE alert_groups (
    key         TEXT    PRIMARY KEY,
    route       TEXT    NOT NULL,
    labels      TEXT    NOT NULL,
    -- When it is to be looked at next; null: when one of its incidents changes.
    due_at      INTEGER,
    -- News waits at least until then: the group interval since the last message.
    not_before  INTEGER NOT NULL,
    -- When it was last told that something burns: from here the repeat interval counts.
    notified_at INTEGER,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX alert_groups_due ON alert_groups (due_at) WHERE due_at IS NOT NULL;

-- alert_members: which incidents a group is of, and what was told of each: the throttle. It changes only in the
-- transaction that writes the message.
-- Written by: the intake (enter), the clockwork (told, leave).
-- Read by: the clockwork.
CREATE TABLE alert_members (
    group_key   TEXT    NOT NULL REFERENCES alert_groups (key) ON DELETE CASCADE,
    incident_id BLOB    NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    -- Whether it was told that this burns.
    told        TEXT    NOT NULL CHECK (told IN ('nothing', 'firing')),
    -- Since when it is told: from here the steps of escalation count.
    told_at     INTEGER,
    -- Steps of escalation that were taken.
    steps       INTEGER NOT NULL,
    -- Why it is not told; null: it is, or will be.
    muted       TEXT,
    PRIMARY KEY (group_key, incident_id)
) STRICT;

CREATE INDEX alert_members_by_incident ON alert_members (incident_id);

-- alert_targets: how much each person and channel was told lately: the throttle of storms and of the hourly cap.
-- Written by, read by: the clockwork.
CREATE TABLE alert_targets (
    -- email:ADDRESS, webhook:RECEIVER, slack:RECEIVER.
    target          TEXT    PRIMARY KEY,
    window_began_at INTEGER NOT NULL,
    window_messages INTEGER NOT NULL,
    digested_at     INTEGER,
    -- When what is held for it is told in one message; null: nothing is held.
    digest_due_at   INTEGER
) STRICT;

CREATE INDEX alert_targets_due ON alert_targets (digest_due_at) WHERE digest_due_at IS NOT NULL;

-- alert_storm: one row: until when messages are gathered because so much begins at once.
-- Written by, read by: the clockwork.
CREATE TABLE alert_storm (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    began_at INTEGER NOT NULL,
    until    INTEGER NOT NULL
) STRICT;
INSERT INTO alert_storm (id, began_at, until) VALUES (1, 0, 0);

-- alert_notifications: one row a message to one person or channel: the intent, written with the throttle that it moves.
-- Written by: the clockwork; alert.notify (webhooks: the end).
-- Read by: the clockwork, the sweep, alert.notify, the API. A mail's own fate is in deliveries.
CREATE TABLE alert_notifications (
    id              BLOB    PRIMARY KEY,
    -- Null for a digest.
    group_key       TEXT,
    receiver        TEXT    NOT NULL,
    channel         TEXT    NOT NULL CHECK (channel IN ('email', 'webhook', 'slack')),
    target          TEXT    NOT NULL,
    reason          TEXT    NOT NULL CHECK (reason IN ('raised', 'resolved', 'repeated', 'escalated', 'digest', 'undelivered')),
    severity        TEXT    NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title           TEXT    NOT NULL,
    -- held: for a digest. gathered: a digest told it. queued: alert.notify is to post it. mailed: the ledger has it.
    state           TEXT    NOT NULL CHECK (state IN ('held', 'gathered', 'queued', 'mailed', 'sent', 'failed')),
    digest_id       BLOB,
    delivery_id     BLOB,
    job_id          BLOB    NOT NULL,
    created_at      INTEGER NOT NULL,
    sweep_from      INTEGER NOT NULL,
    ended_at        INTEGER,
    -- When another channel was told that this mail does not get through.
    trouble_told_at INTEGER,
    last_error      TEXT
) STRICT;

CREATE INDEX alert_notifications_held ON alert_notifications (target, created_at) WHERE state = 'held';
CREATE INDEX alert_notifications_sweep ON alert_notifications (sweep_from) WHERE state = 'queued';
CREATE INDEX alert_notifications_mailed ON alert_notifications (created_at) WHERE state = 'mailed';
CREATE INDEX alert_notifications_by_digest ON alert_notifications (digest_id) WHERE digest_id IS NOT NULL;
CREATE INDEX alert_notifications_trouble ON alert_notifications (trouble_told_at) WHERE trouble_told_at IS NOT NULL;
CREATE INDEX alert_notifications_by_age ON alert_notifications (created_at);

-- alert_notification_incidents: what a message is about.
-- Written by: the clockwork, with the message.
-- Read by: the clockwork, alert.notify, the API, the acknowledge page.
CREATE TABLE alert_notification_incidents (
    notification_id BLOB NOT NULL REFERENCES alert_notifications (id) ON DELETE CASCADE,
    incident_id     BLOB NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    -- news: it begins; still: it goes on; over: it has ended.
    change          TEXT NOT NULL CHECK (change IN ('news', 'still', 'over')),
    PRIMARY KEY (notification_id, incident_id)
) STRICT;

CREATE INDEX alert_notification_incidents_by_incident ON alert_notification_incidents (incident_id);
