//! The wire form of an envelope: what lies in Redis and in SQLite.
//!
//! One version byte, a fixed header that the broker's Lua scripts read without parsing JSON, then the variable parts.
//! Little-endian; times in milliseconds since the epoch, 0 for none.
//!
//! ```text
//! 0 version  1 flags  2 priority  3 –   4 max_attempts u16   6 –         8 timeout ms u32   12 unique_for s u32
//! 16 created_at i64   24 run_at i64   32 expires_at i64
//! 40 u8 length + unique key, u8 length + kind, u8 length + queue, u8 length + traceparent,
//!    u16 length + tags (joined by newlines), the rest: arguments (JSON)
//! ```
//! A reader that meets another version must not touch more than the version byte: the job waits for a newer worker.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::clock::from_ms;
use crate::envelope::Envelope;
use crate::id::JobId;
use crate::name::{Kind, Priority, QueueName, UniqueKey};

/// The version that this release writes.
pub const VERSION: u8 = 1;

const HEADER: usize = 40;
const EXPIRES: u8 = 1;
const UNIQUE: u8 = 2;

/// The bytes are no envelope that this release can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Written by a newer release: wait for a worker that knows it.
    #[error("envelope version {0} is newer than this worker's {VERSION}")]
    Newer(u8),
    /// Not an envelope: it will never be readable.
    #[error("broken envelope: {0}")]
    Broken(&'static str),
}

/// Writes an envelope. Fields beyond their documented range are held at its end.
#[must_use]
pub fn encode(e: &Envelope) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + 64 + e.args.get().len());
    let flags = if e.expires_at.is_some() { EXPIRES } else { 0 } | if e.unique_key.is_some() { UNIQUE } else { 0 };
    out.extend_from_slice(&[VERSION, flags, e.priority.get(), 0]);
    out.extend_from_slice(&u16::try_from(e.max_attempts).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&u32::try_from(e.timeout.as_millis()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&u32::try_from(e.unique_for.as_secs()).unwrap_or(u32::MAX).to_le_bytes());
    for t in [Some(e.created_at), Some(e.run_at), e.expires_at] {
        out.extend_from_slice(&t.map_or(0, Timestamp::as_millisecond).to_le_bytes());
    }
    short(&mut out, e.unique_key.as_ref().map_or("", UniqueKey::as_str));
    short(&mut out, e.kind.as_str());
    short(&mut out, e.queue.as_str());
    short(&mut out, e.trace_parent.as_deref().unwrap_or(""));
    let tags = e.tags.join("\n");
    let tags = if tags.len() <= usize::from(u16::MAX) { tags.as_str() } else { "" };
    out.extend_from_slice(&(tags.len() as u16).to_le_bytes());
    out.extend_from_slice(tags.as_bytes());
    out.extend_from_slice(e.args.get().as_bytes());
    out
}

fn short(out: &mut Vec<u8>, text: &str) {
    let text = if text.len() <= usize::from(u8::MAX) { text } else { "" };
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

/// Reads an envelope; `id` and `attempt` come from the broker, which keeps them beside the bytes.
pub fn decode(id: JobId, attempt: u32, bytes: &[u8]) -> Result<Envelope, WireError> {
    match bytes.first() {
        None => return Err(WireError::Broken("no bytes")),
        Some(0) => return Err(WireError::Broken("version 0")),
        Some(&v) if v > VERSION => return Err(WireError::Newer(v)),
        Some(_) => {}
    }
    if bytes.len() < HEADER {
        return Err(WireError::Broken("shorter than its header"));
    }
    let u16_at = |i: usize| u16::from_le_bytes([bytes[i], bytes[i + 1]]);
    let u32_at = |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
    let i64_at = |i: usize| {
        let mut b = [0; 8];
        b.copy_from_slice(&bytes[i..i + 8]);
        i64::from_le_bytes(b)
    };
    let mut rest = Rest(&bytes[HEADER..]);
    let unique = rest.short()?;
    let kind = rest.short()?;
    let queue = rest.short()?;
    let trace = rest.short()?;
    let tags = rest.long()?;
    let args = std::str::from_utf8(rest.0).map_err(|_| WireError::Broken("arguments are not UTF-8"))?;
    Ok(Envelope {
        id,
        kind: Kind::new(kind).map_err(|_| WireError::Broken("no such kind can exist"))?,
        queue: QueueName::new(queue).map_err(|_| WireError::Broken("no such queue can exist"))?,
        args: RawValue::from_string(args.to_owned()).map_err(|_| WireError::Broken("arguments are not JSON"))?,
        priority: Priority::new(bytes[2]).map_err(|_| WireError::Broken("priority over 9"))?,
        attempt,
        max_attempts: u32::from(u16_at(4)),
        timeout: Duration::from_millis(u64::from(u32_at(8))),
        created_at: from_ms(i64_at(16)),
        run_at: from_ms(i64_at(24)),
        expires_at: (bytes[1] & EXPIRES != 0).then(|| from_ms(i64_at(32))),
        unique_key: match unique {
            "" => None,
            key => Some(UniqueKey::new(key).map_err(|_| WireError::Broken("no such unique key can exist"))?),
        },
        unique_for: Duration::from_secs(u64::from(u32_at(12))),
        trace_parent: (!trace.is_empty()).then(|| trace.to_owned()),
        tags: if tags.is_empty() { Vec::new() } else { tags.split('\n').map(str::to_owned).collect() },
    })
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn short(&mut self) -> Result<&'a str, WireError> {
        let (len, rest) = self.0.split_first().ok_or(WireError::Broken("cut off"))?;
        self.text(usize::from(*len), rest)
    }

    fn long(&mut self) -> Result<&'a str, WireError> {
        let (len, rest) = self.0.split_first_chunk::<2>().ok_or(WireError::Broken("cut off"))?;
        self.text(usize::from(u16::from_le_bytes(*len)), rest)
    }

    fn text(&mut self, len: usize, rest: &'a [u8]) -> Result<&'a str, WireError> {
        let (text, rest) = rest.split_at_checked(len).ok_or(WireError::Broken("cut off"))?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| WireError::Broken("a name is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn envelope(args: &str) -> Envelope {
        let queue = QueueName::new("emails").unwrap();
        let id = JobId::from_bytes([7; 16]);
        let args = RawValue::from_string(args.to_owned()).unwrap();
        Envelope::raw(id, Kind::new("email.send").unwrap(), queue, args, from_ms(1_700_000_000_123))
    }

    #[test]
    fn every_field_comes_back_as_it_was_written() {
        let mut e = envelope(r#"{"to":"zoë"}"#);
        e.priority = Priority::new(2).unwrap();
        e.max_attempts = 7;
        e.timeout = Duration::from_millis(1_500);
        e.run_at = from_ms(1_800_000_000_000);
        e.expires_at = Some(from_ms(1_900_000_000_000));
        e.unique_key = Some(UniqueKey::new("delivery:1").unwrap());
        e.unique_for = Duration::from_secs(30);
        e.trace_parent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
        e.tags = vec!["vip".into(), "berlin".into()];
        let back = decode(e.id, 3, &encode(&e)).unwrap();
        assert_eq!(back.attempt, 3);
        e.attempt = 3;
        assert_eq!(format!("{back:?}"), format!("{e:?}"));
    }

    #[test]
    fn a_newer_version_is_told_from_broken_bytes() {
        let id = JobId::from_bytes([7; 16]);
        assert_eq!(decode(id, 1, &[9, 1, 2]).unwrap_err(), WireError::Newer(9));
        assert!(matches!(decode(id, 1, &[]).unwrap_err(), WireError::Broken(_)));
        let mut cut = encode(&envelope("{}"));
        cut.truncate(45);
        assert!(matches!(decode(id, 1, &cut).unwrap_err(), WireError::Broken(_)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(JobId::from_bytes([0; 16]), 1, &bytes);
        }

        #[test]
        fn any_cut_of_an_envelope_is_refused_or_read_whole(cut in 0_usize..400) {
            let whole = encode(&envelope(r#"{"a":[1,2,3],"b":"text"}"#));
            let cut = cut.min(whole.len());
            prop_assert_eq!(decode(JobId::from_bytes([7; 16]), 1, &whole[..cut]).is_ok(), cut == whole.len());
        }
    }
}
