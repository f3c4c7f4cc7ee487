//! The words of time, a language each.

use jiff::Zoned;
use jiff::civil::Weekday;

use crate::locale::Locale;

/// The languages that times are told in; every other reader gets English.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
    Spanish,
}

const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const SPANISH_MONTHS: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];
const ENGLISH_DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const GERMAN_DAYS: [&str; 7] = ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];
const SPANISH_DAYS: [&str; 7] = ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"];

impl Language {
    pub(super) fn of(locale: &Locale) -> Self {
        match locale.language() {
            "de" => Self::German,
            "es" => Self::Spanish,
            _ => Self::English,
        }
    }

    /// `Tuesday, 24 November 2026`.
    pub(super) fn day(self, at: &Zoned) -> String {
        let (month, weekday) = (usize::from(at.month().unsigned_abs()) - 1, weekday(at.weekday()));
        let (day, year) = (at.day(), at.year());
        match self {
            Self::English => format!("{}, {day} {} {year}", ENGLISH_DAYS[weekday], ENGLISH_MONTHS[month]),
            Self::German => format!("{}, {day}. {} {year}", GERMAN_DAYS[weekday], GERMAN_MONTHS[month]),
            Self::Spanish => format!("{}, {day} de {} de {year}", SPANISH_DAYS[weekday], SPANISH_MONTHS[month]),
        }
    }

    /// What stands after a time of day.
    pub(super) fn o_clock(self) -> &'static str {
        match self {
            Self::German => " Uhr",
            Self::English | Self::Spanish => "",
        }
    }

    /// An abbreviation as this language knows it.
    pub(super) fn abbreviation(self, of_the_database: &str) -> &str {
        match (self, of_the_database) {
            (Self::German, "CET") => "MEZ",
            (Self::German, "CEST") => "MESZ",
            (_, same) => same,
        }
    }

    pub(super) fn now(self) -> &'static str {
        match self {
            Self::English => "now",
            Self::German => "jetzt",
            Self::Spanish => "ahora",
        }
    }

    pub(super) fn today(self) -> &'static str {
        match self {
            Self::English => "today",
            Self::German => "heute",
            Self::Spanish => "hoy",
        }
    }

    pub(super) fn tomorrow(self) -> &'static str {
        match self {
            Self::English => "tomorrow",
            Self::German => "morgen",
            Self::Spanish => "mañana",
        }
    }

    pub(super) fn in_days(self, days: i64) -> String {
        match self {
            Self::English => format!("in {days} days"),
            Self::German => format!("in {days} Tagen"),
            Self::Spanish => format!("en {days} días"),
        }
    }

    /// `in 1 hour and 20 minutes`; either may be 0, not both.
    pub(super) fn in_hours(self, hours: i64, minutes: i64) -> String {
        let (within, and, hour, minute) = match self {
            Self::English => ("in", "and", ["hour", "hours"], ["minute", "minutes"]),
            Self::German => ("in", "und", ["Stunde", "Stunden"], ["Minute", "Minuten"]),
            Self::Spanish => ("en", "y", ["hora", "horas"], ["minuto", "minutos"]),
        };
        let counted = |n: i64, [one, many]: [&str; 2]| format!("{n} {}", if n == 1 { one } else { many });
        match (hours, minutes) {
            (0, minutes) => format!("{within} {}", counted(minutes, minute)),
            (hours, 0) => format!("{within} {}", counted(hours, hour)),
            (hours, minutes) => format!("{within} {} {and} {}", counted(hours, hour), counted(minutes, minute)),
        }
    }
}

fn weekday(day: Weekday) -> usize {
    usize::from(day.to_monday_zero_offset().unsigned_abs())
}
