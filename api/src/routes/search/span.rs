//! What counts are asked for: from when to when, of which kind and device; and whether an event is in time.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use store::{CLOCKS_APART, Device, Granularity};
use worker::search::is_near;

use super::reported::is_word;
use crate::error::ApiError;
use crate::query::Params;

/// Refuses an event that is too old to be counted, or has not happened yet.
pub fn in_time(at: Timestamp, late: Duration, now: Timestamp) -> Result<(), String> {
    if at > after(now, CLOCKS_APART) {
        return Err(format!("more than {} in the future", job::duration::format(CLOCKS_APART)));
    }
    if after(at, late) < now {
        return Err(format!("more than {} ago: it is too late to be counted", job::duration::format(late)));
    }
    Ok(())
}

/// `from` and `to`; without them the days, or hours, until now: so many.
pub fn of(
    params: &mut Params,
    granularity: Granularity,
    usual: u32,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), ApiError> {
    let mut time = |name: &str| match params.parsed::<Timestamp>(name)? {
        Some(at) if !is_near(at) => Err(ApiError::invalid(name, "a time in the years 1970 to 9000 is expected")),
        at => Ok(at),
    };
    let to = time("to")?.unwrap_or(now);
    let from = match time("from")? {
        Some(from) => from,
        None => {
            let length = granularity.millis() * i64::from(usual);
            granularity.floor(job::clock::from_ms(to.as_millisecond().saturating_sub(length)))
        }
    };
    if from >= to {
        return Err(ApiError::invalid("to", "must be after from"));
    }
    Ok((from, to))
}

/// The kind and the device that counts are asked of; none: all. One that no search can have is refused.
pub fn group(params: &mut Params) -> Result<(Option<String>, Option<String>), ApiError> {
    let kind = params.text("kind")?;
    if kind.as_deref().is_some_and(|kind| !is_word(kind)) {
        return Err(ApiError::invalid("kind", "1 to 32 of a-z 0-9 _ - are expected, a letter first"));
    }
    let device = params.text("device")?;
    if device.as_deref().is_some_and(|device| device.parse::<Device>().is_err()) {
        return Err(ApiError::invalid("device", "desktop, mobile, tablet or other is expected"));
    }
    Ok((kind, device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_taken_as_long_as_it_is_counted() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let late = Duration::from_secs(48 * 3600);
        let of = |text: &str| in_time(text.parse().unwrap(), late, now);
        assert!(of("2026-11-23T12:00:00Z").is_ok() && of("2026-11-25T12:05:00Z").is_ok());
        assert!(of("2026-11-23T11:59:59Z").unwrap_err().contains("2d ago"));
        assert!(of("2026-11-25T12:05:01Z").unwrap_err().contains("5m in the future"));
    }
}
