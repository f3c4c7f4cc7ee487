//! Times and sizes as people say them: `3m ago`, `in 5h`, `1.5 MiB`. To the nearest second, then one unit, cut: what is 119
//! seconds old is 1 minute old.

use std::time::Duration;

use jiff::Timestamp;

/// A length of time in one unit: `250ms`, `12s`, `3m`, `5h`, `2d`.
pub fn short(d: Duration) -> String {
    let seconds = (d + Duration::from_millis(500)).as_secs();
    match seconds {
        _ if d < Duration::from_secs(1) => format!("{}ms", d.as_millis()),
        ..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago `at` was: `3m ago`; `just now` within a second, and for what the other clock says is yet to come.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    match gap(at, now) {
        past if past < Duration::from_secs(1) => "just now".to_owned(),
        past => format!("{} ago", short(past)),
    }
}

/// `in 5m`, `now` (to the second) or `3m ago`.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let second = Duration::from_secs(1);
    match (gap(now, at), gap(at, now)) {
        (to_come, past) if to_come < second && past < second => "now".to_owned(),
        (to_come, Duration::ZERO) => format!("in {}", short(to_come)),
        (_, past) => format!("{} ago", short(past)),
    }
}

/// From `a` to `b`; nothing if `b` is earlier.
fn gap(a: Timestamp, b: Timestamp) -> Duration {
    Duration::try_from(b.duration_since(a)).unwrap_or_default()
}

/// A size: `512 B`, `1.5 MiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1_024 {
        return format!("{n} B");
    }
    let mut size = n as f64;
    let mut unit = "B";
    for next in UNITS {
        if size < 1_024.0 {
            break;
        }
        (size, unit) = (size / 1_024.0, next);
    }
    format!("{size:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_cut_to_one_unit() {
        let said = |ms| short(Duration::from_millis(ms));
        assert_eq!(said(250), "250ms");
        assert_eq!(said(999), "999ms");
        assert_eq!(said(59_400), "59s");
        assert_eq!(said(299_990), "5m");
        assert_eq!(said(119_000), "1m");
        assert_eq!(said(3_600_000), "1h");
        assert_eq!(said(172_800_000), "2d");
    }

    #[test]
    fn an_instant_is_told_from_now() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let said = |at: &str| relative(at.parse().unwrap(), now);
        assert_eq!(said("2026-11-23T10:05:00Z"), "in 5m");
        assert_eq!(said("2026-11-23T09:57:00Z"), "3m ago");
        assert_eq!(said("2026-11-23T09:59:59.500Z"), "now");
    }

    #[test]
    fn sizes_have_one_decimal() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1_572_864), "1.5 MiB");
        assert_eq!(bytes(64 << 30), "64.0 GiB");
    }
}
