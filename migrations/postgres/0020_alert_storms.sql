-- When messages are gathered: decided for each person and channel, by what is about to be told to them.

-- storm_until: while it lasts what comes for this target waits for its digest; null: there was no storm yet. It replaces the
--   storm of all; the one row of alert_storm is what the clockwork holds while it looks after the fate of mails.
-- Written by, read by: the clockwork of alerts.
ALTER TABLE alert_targets ADD COLUMN storm_until TIMESTAMPTZ;

-- What was posted and will not be taken is told by another way, once. What failed before this is no news.
UPDATE alert_notifications SET trouble_told_at = ended_at WHERE state = 'failed' AND trouble_told_at IS NULL;
CREATE INDEX alert_notifications_untold ON alert_notifications (ended_at)
    WHERE state = 'failed' AND trouble_told_at IS NULL AND reason <> 'undelivered';
