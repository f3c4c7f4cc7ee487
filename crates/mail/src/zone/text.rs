//! Master-file text (RFC 1035 §5), the plain part of it: one record a line, absolute names, nothing implied.
//!
//! `name ttl IN TYPE data`. What is printed is read back as the same record, and other tools read it too.

use std::fmt::{self, Write as _};

use super::ZoneError;
use super::record::{DnsName, Record, RecordData};

/// The longest character-string of a TXT record (RFC 1035 §3.3).
pub(super) const MAX_STRING: usize = 255;

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} IN {} ", self.name, self.ttl, self.data.kind())?;
        match &self.data {
            RecordData::A(ip) => write!(f, "{ip}"),
            RecordData::Aaaa(ip) => write!(f, "{ip}"),
            RecordData::Mx { preference, exchange } => write!(f, "{preference} {exchange}"),
            RecordData::Txt(text) => write_strings(f, text),
            RecordData::Cname(name) | RecordData::Ptr(name) | RecordData::Ns(name) => {
                write!(f, "{name}")
            }
            RecordData::Soa { primary, contact, serial, minimum } => {
                write!(f, "{primary} {contact} {serial} 3600 600 86400 {minimum}")
            }
        }
    }
}

fn write_strings(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if text.is_empty() {
        return f.write_str("\"\"");
    }
    for (index, chunk) in text.as_bytes().chunks(MAX_STRING).enumerate() {
        f.write_str(if index == 0 { "\"" } else { " \"" })?;
        for byte in chunk {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                0x20..=0x7e => f.write_char(char::from(*byte))?,
                _ => write!(f, "\\{byte:03}")?,
            }
        }
        f.write_char('"')?;
    }
    Ok(())
}

pub(super) fn parse(text: &str) -> Result<Vec<Record>, ZoneError> {
    let mut records = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let wrong = |reason: String| ZoneError::Line { line: index + 1, reason };
        let fields = fields(line).map_err(wrong)?;
        if !fields.is_empty() {
            records.push(record(line, &fields).map_err(wrong)?);
        }
    }
    Ok(records)
}

fn record(line: &str, fields: &[Vec<u8>]) -> Result<Record, String> {
    if line.starts_with([' ', '\t']) {
        return Err("a line has to start with its name".to_owned());
    }
    if line.starts_with(['$', '@']) {
        return Err("directives and @ are not supported: write absolute names".to_owned());
    }
    let [name, ttl, class, kind, data @ ..] = fields else {
        return Err("expected: name ttl IN TYPE data".to_owned());
    };
    if !class.eq_ignore_ascii_case(b"IN") {
        return Err("the class has to be IN".to_owned());
    }
    Ok(Record { name: absolute(name)?, ttl: number(ttl)?, data: record_data(kind, data)? })
}

fn record_data(kind: &[u8], data: &[Vec<u8>]) -> Result<RecordData, String> {
    let kind = String::from_utf8_lossy(kind).to_ascii_uppercase();
    Ok(match (kind.as_str(), data) {
        ("A", [ip]) => RecordData::A(number(ip)?),
        ("AAAA", [ip]) => RecordData::Aaaa(number(ip)?),
        ("MX", [preference, exchange]) => {
            RecordData::Mx { preference: number(preference)?, exchange: absolute(exchange)? }
        }
        ("TXT", [_, ..]) => {
            if data.iter().any(|string| string.len() > MAX_STRING) {
                return Err(format!("a TXT string has more than {MAX_STRING} octets"));
            }
            RecordData::Txt(String::from_utf8(data.concat()).map_err(|_| "TXT data is not UTF-8".to_owned())?)
        }
        ("CNAME", [name]) => RecordData::Cname(absolute(name)?),
        ("PTR", [name]) => RecordData::Ptr(absolute(name)?),
        ("NS", [name]) => RecordData::Ns(absolute(name)?),
        ("SOA", [primary, contact, serial, _refresh, _retry, _expire, minimum]) => RecordData::Soa {
            primary: absolute(primary)?,
            contact: absolute(contact)?,
            serial: number(serial)?,
            minimum: number(minimum)?,
        },
        ("A" | "AAAA" | "MX" | "TXT" | "CNAME" | "PTR" | "NS" | "SOA", _) => {
            return Err(format!("wrong number of fields for {kind}"));
        }
        _ => return Err(format!("the type {kind} is not supported")),
    })
}

fn absolute(field: &[u8]) -> Result<DnsName, String> {
    let text = String::from_utf8_lossy(field);
    if !text.ends_with('.') {
        return Err(format!("the name {text:?} is not absolute: it has to end with a dot"));
    }
    DnsName::parse(&text).map_err(|error| error.to_string())
}

fn number<T: std::str::FromStr>(field: &[u8]) -> Result<T, String> {
    let text = String::from_utf8_lossy(field);
    text.parse().map_err(|_| format!("{text:?} cannot be read"))
}

/// Splits a line into fields, with quotes, `\"` and `\DDD` resolved; a comment ends it.
fn fields(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut fields = Vec::new();
    let mut bytes = line.bytes().peekable();
    loop {
        while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
        let quoted = match bytes.peek() {
            None | Some(b';') => return Ok(fields),
            Some(b'(' | b')') => {
                return Err("parentheses are not supported: one record a line".to_owned());
            }
            Some(b'"') => bytes.next().is_some(),
            Some(_) => false,
        };
        let mut field = Vec::new();
        loop {
            match bytes.peek().copied() {
                None if quoted => return Err("a quoted string is not closed".to_owned()),
                None => break,
                Some(b'"') if quoted => {
                    bytes.next();
                    break;
                }
                Some(byte) if !quoted && (byte.is_ascii_whitespace() || byte == b';') => break,
                Some(b'\\') => {
                    bytes.next();
                    field.push(escaped(&mut bytes)?);
                }
                Some(byte) => {
                    bytes.next();
                    field.push(byte);
                }
            }
        }
        fields.push(field);
    }
}

fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, String> {
    let bad = || "a backslash is not followed by a character or three digits".to_owned();
    let first = bytes.next().ok_or_else(bad)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit).ok_or_else(bad)?;
        value = value * 10 + u32::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| bad())
}
