//! What holds for search events, from the configuration.

use config::Config;
use store::SearchRules;
use worker::search::SearchSettings;

/// The settings of this installation.
pub fn search_settings(config: &Config) -> SearchSettings {
    let search = &config.search;
    SearchSettings {
        rules: SearchRules {
            typeahead: search.typeahead,
            orphan_after: search.orphan_after,
            attribution: search.attribution,
        },
        late: search.late,
        network_key_for: search.network_key_for,
        countable_for: search.retention.guests,
        hourly_for: search.retention.hourly_queries,
    }
}
