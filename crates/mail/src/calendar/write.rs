//! Writing the entry. The crate `icalendar` escapes text and folds lines; what it takes on trust is checked here: a line
//! break in a value that it does not escape, or a quote in a parameter, would start a property of its own.

use icalendar::{Calendar, Component, Event, Property};
use jiff::{SignedDuration, Timestamp};

use super::{Invite, InviteError, MAX_SEQUENCE, Method, Person};

/// Octets of a line of text.
const MAX_TEXT: usize = 2_000;
/// Octets of the description.
const MAX_DESCRIPTION: usize = 20_000;

pub(super) fn write(invite: &Invite, stamp: Timestamp) -> Result<String, InviteError> {
    if invite.sequence > MAX_SEQUENCE {
        return Err(InviteError::Sequence);
    }
    let length = SignedDuration::from_secs(i64::from(invite.duration_minutes) * 60);
    let ends_at = invite.starts_at.checked_add(length).map_err(|_| InviteError::Time)?;
    if invite.duration_minutes == 0 {
        return Err(InviteError::Time);
    }
    let (status, method) = match invite.method {
        Method::Request => ("CONFIRMED", "REQUEST"),
        Method::Cancel => ("CANCELLED", "CANCEL"),
    };
    let mut event = Event::new();
    event
        .add_property("UID", line("uid", &invite.uid)?)
        .add_property("SEQUENCE", invite.sequence.to_string())
        .add_property("DTSTAMP", instant(stamp)?)
        .add_property("DTSTART", instant(invite.starts_at)?)
        .add_property("DTEND", instant(ends_at)?)
        .add_property("SUMMARY", line("summary", &invite.summary)?)
        .add_property("STATUS", status)
        .add_property("TRANSP", "OPAQUE");
    if let Some(description) = &invite.description {
        event.add_property("DESCRIPTION", text("description", description)?);
    }
    if let Some(location) = &invite.location {
        event.add_property("LOCATION", line("location", location)?);
    }
    if let Some(url) = &invite.url {
        event.add_property("URL", web("url", url)?);
    }
    event.append_property(person("ORGANIZER", &invite.organizer)?);
    for attendee in &invite.attendees {
        let mut property = person("ATTENDEE", attendee)?;
        property
            .add_parameter("CUTYPE", "INDIVIDUAL")
            .add_parameter("ROLE", "REQ-PARTICIPANT")
            .add_parameter("PARTSTAT", "ACCEPTED")
            .add_parameter("RSVP", "FALSE");
        event.append_multi_property(property);
    }
    let mut calendar = Calendar::empty();
    for (name, value) in
        [("VERSION", "2.0"), ("PRODID", "-//Postrider//Bookings//EN"), ("CALSCALE", "GREGORIAN"), ("METHOD", method)]
    {
        calendar.append_property(Property::new(name, value));
    }
    calendar.push(event);
    Ok(calendar.to_string())
}

/// RFC 5545 §3.3.5, form 2.
fn instant(at: Timestamp) -> Result<String, InviteError> {
    if !(0..253_402_300_800).contains(&at.as_second()) {
        return Err(InviteError::Time);
    }
    Ok(at.strftime("%Y%m%dT%H%M%SZ").to_string())
}

fn person(property: &str, who: &Person) -> Result<Property, InviteError> {
    let mut written = Property::new(property, mailto(who.address.as_str()));
    let name = who.name.as_deref().unwrap_or(who.address.as_str());
    if name.chars().any(char::is_control) || name.len() > MAX_TEXT {
        return Err(InviteError::Field("name"));
    }
    // A parameter cannot carry a double quote (§3.2); few programs know the escapes of RFC 6868.
    written.add_parameter("CN", &name.trim().replace('"', "'"));
    Ok(written)
}

/// An address as a URI: what is not plain in one is percent-encoded, UTF-8 included (RFC 6068 §2).
fn mailto(address: &str) -> String {
    let mut uri = "mailto:".to_owned();
    for byte in address.bytes() {
        match byte {
            b'@' | b'!' | b'$' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

fn line<'a>(field: &'static str, value: &'a str) -> Result<&'a str, InviteError> {
    if value.trim().is_empty() || value.len() > MAX_TEXT || value.chars().any(char::is_control) {
        return Err(InviteError::Field(field));
    }
    Ok(value.trim())
}

fn text(field: &'static str, value: &str) -> Result<String, InviteError> {
    let value = value.replace("\r\n", "\n");
    let control = value.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    if value.len() > MAX_DESCRIPTION || control {
        return Err(InviteError::Field(field));
    }
    Ok(value)
}

fn web<'a>(field: &'static str, value: &'a str) -> Result<&'a str, InviteError> {
    let value = line(field, value)?;
    let known = value.starts_with("https://") || value.starts_with("http://");
    if !known || value.contains(char::is_whitespace) {
        return Err(InviteError::Field(field));
    }
    Ok(value)
}
