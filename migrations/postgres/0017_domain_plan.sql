-- Of which configuration a domain's state is.

-- plan: a fingerprint of what the last check took for granted: the keys that sign, MAIL FROM, the EHLO name, and the ways on
--   which mail leaves. A process whose configuration has another one does not trust the row, and looks for itself.
-- Written by: the check of a domain. Read by: the e-mail job, before each mail.
ALTER TABLE domains ADD COLUMN plan TEXT;
