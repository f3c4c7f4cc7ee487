//! The store: whether it answers, and whether its tables are those of this release.

use config::Config;
use store::{MigrationStatus, Store};
use tokio::time::Instant;

use super::{Report, files, milliseconds};
use crate::commands::{sqlite_file, why_away};
use crate::wire;

/// Looks at the store.
pub async fn check(report: &mut Report, config: &Config) {
    if let Some(file) = sqlite_file(&config.store.url.to_string())
        && !files::sqlite(report, "store", &file)
    {
        return;
    }
    match wire::open_store(config).await {
        Ok(store) => {
            if answers(report, config, &store).await {
                migrations(report, config, &store).await;
            }
            store.close().await;
        }
        Err(e) => away(report, config, &format!("{e:#}")),
    }
}

async fn answers(report: &mut Report, config: &Config, store: &Store) -> bool {
    // The first answer includes connecting.
    if let Err(e) = store.ping().await {
        away(report, config, &why_away(&e, config));
        return false;
    }
    let begun = Instant::now();
    if let Err(e) = store.ping().await {
        away(report, config, &e.to_string());
        return false;
    }
    let took = milliseconds(begun.elapsed());
    report.ok("store", "reachable", format!("{} answers in {took}", config.store.url));
    true
}

fn away(report: &mut Report, config: &Config, why: &str) {
    let advice = "see that it runs and that store.url names it; bookings are answered 503 and mail waits until then";
    report.fail("store", "reachable", format!("{}: {why}", config.store.url), advice);
}

async fn migrations(report: &mut Report, config: &Config, store: &Store) {
    match store.migration_status().await {
        Ok(status) => judge(report, &status, config.store.migrate_on_start),
        Err(e) => report.fail("store", "migrations", e.to_string(), "see that its user may read the tables"),
    }
}

fn judge(report: &mut Report, status: &MigrationStatus, on_start: bool) {
    let list = |versions: &[i64]| versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if !status.changed.is_empty() {
        let found = format!("steps {} were done with another content than this release has", list(&status.changed));
        report.fail("store", "migrations", found, "restore the database, or run the release that made it");
    }
    if !status.pending.is_empty() {
        let pending = status.pending.iter().map(|step| step.version).collect::<Vec<_>>();
        let found = format!(
            "{} of {} steps are pending: {}",
            pending.len(),
            pending.len() + status.applied.len(),
            list(&pending)
        );
        let when = if on_start { "; api and worker do it when they start" } else { "; api and worker refuse to start" };
        report.fail("store", "migrations", found, format!("run `postrider migrate`{when}"));
    }
    if !status.unknown.is_empty() {
        let found = format!("steps {} are of a newer release", list(&status.unknown));
        report.warn(
            "store",
            "migrations",
            found,
            "right in the middle of a rollout; otherwise install the newer release here",
        );
    }
    if status.is_current() && status.unknown.is_empty() {
        report.ok("store", "migrations", format!("all {} steps are done", status.applied.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_newer_schema_is_a_warning_and_a_changed_one_a_failure() {
        let mut report = Report::default();
        judge(&mut report, &MigrationStatus { unknown: vec![99], ..MigrationStatus::default() }, true);
        assert_eq!(report.worst(), Level::Warn);
        judge(&mut report, &MigrationStatus { changed: vec![1], ..MigrationStatus::default() }, true);
        assert_eq!(report.worst(), Level::Fail);
    }
}
