//! What holds for search reports, from the configuration.

use config::Config;
use worker::search_report::{ReportRules, Thresholds};

/// The rules of this installation.
pub(super) fn report_rules(config: &Config) -> ReportRules {
    let report = &config.search.report;
    ReportRules {
        recipients: report.recipients.clone(),
        sender: report.sender.clone(),
        thresholds: Thresholds {
            zero_results: report.zero_results,
            conversion_drop: report.conversion_drop,
            min_searches: report.min_searches,
        },
    }
}
