//! The search report: what people searched for in a day or a week, told to the operators, against the one before.
//!
//! 1. `period` says which days a report is about: the last whole ones, of UTC, as searches are counted.
//! 2. `figures` reads what was counted, of the period and of the one before it.
//! 3. `figure` and `queries` say how each figure and query is shown, here and on the page: beside what it was before, and
//!    whether that is better or worse. What is not known is said to be not known, and is never a zero.
//! 4. `letter` makes of it what the template shows: figures, charts, tables.
//! 5. `thresholds` says which figures are an alert.
//! 6. `rules` are the settings.
//!
//! Who gets it is in the configuration. A mail is a row under `search_report:{period}:{first day}:{recipient}`, so that
//! whoever asks again, and however often, nobody gets a report twice.

pub mod figure;
mod figures;
mod letter;
mod period;
pub mod queries;
mod rules;
mod thresholds;

pub use figure::{Compared, Figure, Verdict};
pub use figures::Figures;
pub use letter::data;
pub use period::{Kind, Period};
pub use rules::{ReportRules, Thresholds};
pub use thresholds::alerts;

#[cfg(test)]
mod tests;
