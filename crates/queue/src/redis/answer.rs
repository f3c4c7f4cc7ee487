//! Reading what the scripts answer.

use jiff::Timestamp;
use job::JobId;
use job::clock::from_ms;
use redis::Value;
use serde::Deserialize;

use crate::error::BrokerError;
use crate::record::PastError;

/// An answer that is not what the script says it is.
pub(super) fn unexpected(what: &str) -> BrokerError {
    BrokerError::Corrupt(format!("a script's answer has no {what}"))
}

/// The elements of an array answer, taken one after the other.
pub(super) struct Items(std::vec::IntoIter<Value>);

impl Items {
    pub(super) fn of(value: Value) -> Result<Self, BrokerError> {
        match value {
            Value::Array(items) => Ok(Self(items.into_iter())),
            Value::Nil => Ok(Self(Vec::new().into_iter())),
            _ => Err(unexpected("array")),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.0.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn int(&mut self) -> Result<i64, BrokerError> {
        match self.0.next() {
            Some(Value::Int(n)) => Ok(n),
            _ => Err(unexpected("number")),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, BrokerError> {
        bytes(self.0.next().ok_or_else(|| unexpected("text"))?)
    }

    /// Text, or nothing at all, which is not the same as empty text.
    pub(super) fn optional(&mut self) -> Result<Option<Vec<u8>>, BrokerError> {
        match self.0.next() {
            Some(Value::Nil) => Ok(None),
            Some(value) => bytes(value).map(Some),
            None => Err(unexpected("text or nil")),
        }
    }

    pub(super) fn id(&mut self) -> Result<JobId, BrokerError> {
        id(&self.bytes()?)
    }

    /// A score, which Redis writes as text.
    pub(super) fn score(&mut self) -> Result<Option<f64>, BrokerError> {
        let text = self.bytes()?;
        if text.is_empty() {
            return Ok(None);
        }
        let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| unexpected("score"))
    }
}

pub(super) fn bytes(value: Value) -> Result<Vec<u8>, BrokerError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        Value::Okay => Ok(b"OK".to_vec()),
        _ => Err(unexpected("text")),
    }
}

pub(super) fn id(bytes: &[u8]) -> Result<JobId, BrokerError> {
    bytes.try_into().map(JobId::from_bytes).map_err(|_| unexpected("job id"))
}

/// The mutable part of a job; its layout is told in `lua/prelude.lua`.
#[derive(Debug, Clone, Default)]
pub(super) struct Mutable {
    pub state: u8,
    pub cancel_requested: bool,
    pub attempt: u32,
    pub losses: u32,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub tail: Tail,
}

/// Its JSON tail.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tail {
    pub errors: Vec<WrittenError>,
    pub result: Option<String>,
    pub snoozed: Option<String>,
    pub unknown_since: Option<f64>,
}

/// A past error as the scripts write it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WrittenError {
    attempt: f64,
    at: f64,
    error: String,
}

impl Mutable {
    /// Reads it; `None` for the empty text of a job that was never leased.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, BrokerError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.len() < 29 {
            return Err(unexpected("whole mutable part"));
        }
        let time = |at: usize| {
            let mut b = [0; 8];
            b.copy_from_slice(&bytes[at..at + 8]);
            Some(i64::from_le_bytes(b)).filter(|ms| *ms > 0).map(from_ms)
        };
        let tail = match &bytes[29..] {
            [] => Tail::default(),
            json => serde_json::from_slice(&lossy(json)).map_err(|_| unexpected("readable JSON tail"))?,
        };
        Ok(Some(Self {
            state: bytes[0],
            cancel_requested: bytes[1] & 1 != 0,
            attempt: u32::from(u16::from_le_bytes([bytes[2], bytes[3]])),
            losses: u32::from(bytes[4]),
            started: time(13),
            ended: time(21),
            tail,
        }))
    }
}

impl Tail {
    pub(super) fn past_errors(self) -> Vec<PastError> {
        let past = |e: WrittenError| PastError { attempt: e.attempt as u32, at: from_ms(e.at as i64), error: e.error };
        self.errors.into_iter().map(past).collect()
    }

    pub(super) fn unknown_since(&self) -> Option<Timestamp> {
        self.unknown_since.map(|ms| from_ms(ms as i64))
    }
}

/// Error texts are cut by bytes on their way in; whatever that leaves must not make a job unreadable.
fn lossy(json: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(json).into_owned().into_bytes()
}
