//! The settings of search reports, as jobs use them.

/// What holds for the search reports of this installation.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportRules {
    /// Who gets them; nobody by default.
    pub recipients: Vec<String>,
    /// The sender profile that they come from.
    pub sender: String,
    /// Which figures are an alert.
    pub thresholds: Thresholds,
}

/// Which figures are an alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// The share of searches without a result, 0 to 1, above which it is one.
    pub zero_results: f64,
    /// By which share, 0 to 1, of what it was in the period before the booking conversion has to fall to be one.
    pub conversion_drop: f64,
    /// Of fewer searches in a period nothing is said: one more or less would change too much.
    pub min_searches: u64,
}

impl Default for ReportRules {
    /// As the default configuration.
    fn default() -> Self {
        Self { recipients: Vec::new(), sender: "alerts".to_owned(), thresholds: Thresholds::default() }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { zero_results: 0.3, conversion_drop: 0.3, min_searches: 100 }
    }
}
