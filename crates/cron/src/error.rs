//! Why an expression cannot be used, told so that the author can mend it without the manual.

use std::fmt;

/// A field of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// 0–59, the first of six fields.
    Second,
    /// 0–59.
    Minute,
    /// 0–23.
    Hour,
    /// 1–31, `L` (the last), `15W` (the nearest weekday).
    DayOfMonth,
    /// 1–12 or JAN–DEC.
    Month,
    /// 0–7 (both ends are Sunday) or SUN–SAT, `5L` (the last Friday), `1#2` (the second Monday).
    DayOfWeek,
}

impl Field {
    /// The numbers that the field takes.
    pub(crate) const fn range(self) -> (u8, u8) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    /// The names that the field takes beside numbers; the first stands for the lower end of the range.
    pub(crate) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
            Self::DayOfWeek => &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
            Self::Second | Self::Minute | Self::Hour | Self::DayOfMonth => &[],
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

/// An expression that cannot be used. Permanent: the same text fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five or six fields.
    #[error("`{text}`: {found} fields; five (minute hour day month weekday) or six (second first) are expected")]
    Fields {
        /// The expression.
        text: String,
        /// How many it has.
        found: usize,
    },
    /// A field does not read, or is out of its range.
    #[error("`{text}`: {field} {why}")]
    Field {
        /// The expression.
        text: String,
        /// The field.
        field: Field,
        /// What is wrong, continuing a sentence that begins with the field's name: "25 is out of 0–23".
        why: String,
    },
    /// An `@` word that is none, or an interval that is none.
    #[error("`{text}`: {why}")]
    Word {
        /// The expression.
        text: String,
        /// What is wrong and what would be right.
        why: String,
    },
    /// No such day ever comes: 30 February.
    #[error("`{text}`: never fires, there is no such day")]
    Never {
        /// The expression.
        text: String,
    },
}
