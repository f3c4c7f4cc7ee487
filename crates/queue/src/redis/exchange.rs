//! Finishing and leasing in one round trip.

use std::collections::VecDeque;

use job::{QueueName, WireError, wire};

use super::answer::{Items, Mutable};
use super::{RedisBroker, script};
use crate::broker::MAX_BATCH;
use crate::error::BrokerError;
use crate::lease::{Disposition, Exchange, Finish, FinishResult, Lease, LeaseRequest, Leased, Solo};
use crate::record::ERROR_BYTES;

impl RedisBroker {
    pub(super) async fn finish_and_lease(
        &self,
        queue: &QueueName,
        finishes: &[Finish],
        lease: Option<LeaseRequest>,
    ) -> Result<Exchange, BrokerError> {
        let wanted = lease.map_or(0, |l| l.max);
        if finishes.len() > MAX_BATCH || wanted > MAX_BATCH {
            return Err(BrokerError::Invalid(format!("at most {MAX_BATCH} jobs an exchange")));
        }
        let mut plain = Vec::with_capacity(finishes.len() * 24);
        let mut others = Vec::new();
        for finish in finishes {
            if is_plain(finish) {
                plain.extend_from_slice(finish.lease.id.as_bytes());
                plain.extend_from_slice(&finish.lease.token.to_be_bytes());
            } else {
                push(&mut others, finish);
            }
        }
        // Connecting may take long; the patience of this call begins after it.
        self.link.connection().await?;
        let l = lease.unwrap_or(LeaseRequest { max: 0, token: 0, worker: 0, idle: false });
        let number = |n: u64| n.to_string().into_bytes();
        let mut arguments = vec![
            self.now_arg(),
            plain,
            number(wanted as u64),
            l.token.to_be_bytes().to_vec(),
            l.worker.to_be_bytes().to_vec(),
            if l.idle { b"1".to_vec() } else { Vec::new() },
            number(self.settings.lease.as_millis() as u64),
            number(self.settings.completed_count(queue)),
            self.patience.until(queue).map_or_else(Vec::new, |until| until.to_string().into_bytes()),
            self.link.remembered_for().map_or_else(Vec::new, |time| number(time.as_millis() as u64)),
        ];
        arguments.append(&mut others);
        let value = self.call(&script::EXCHANGE, &self.base(queue), &arguments).await?;
        let exchange = read(Items::of(value)?, finishes, l.token)?;
        self.patience.heard(queue, exchange.now);
        Ok(exchange)
    }
}

/// The common end, which needs neither JSON nor a look at a unique key.
fn is_plain(finish: &Finish) -> bool {
    finish.unique.is_none() && finish.disposition == (Disposition::Completed { result: None })
}

fn push(out: &mut Vec<Vec<u8>>, finish: &Finish) {
    let mut since = String::new();
    let (code, delay, text) = match &finish.disposition {
        Disposition::Completed { result } => ("completed", 0, result.as_deref().unwrap_or("")),
        Disposition::Retry { delay, error } => ("retry", delay.as_millis(), error.as_str()),
        Disposition::Snooze { delay, reason, unknown_since } => {
            since = unknown_since.map_or_else(String::new, |t| t.as_millisecond().to_string());
            ("snooze", delay.as_millis(), reason.as_str())
        }
        Disposition::Dead { error } => ("dead", 0, error.as_str()),
        Disposition::Cancelled => ("cancelled", 0, ""),
        Disposition::Expired => ("expired", 0, ""),
        Disposition::Release => ("release", 0, ""),
    };
    let text = if code == "completed" { text } else { cut(text, ERROR_BYTES) };
    let (unique, hold) = finish.unique.as_ref().map_or(("", 0), |(key, hold)| (key.as_str(), hold.as_millis()));
    out.extend([
        finish.lease.id.as_bytes().to_vec(),
        finish.lease.token.to_be_bytes().to_vec(),
        code.as_bytes().to_vec(),
        delay.to_string().into_bytes(),
        vec![b'0' + finish.priority.get()],
        text.as_bytes().to_vec(),
        unique.as_bytes().to_vec(),
        hold.to_string().into_bytes(),
        since.into_bytes(),
    ]);
}

/// The longest beginning of at most `max` bytes that ends between two characters.
fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

fn read(mut items: Items, finishes: &[Finish], token: u64) -> Result<Exchange, BrokerError> {
    let now = items.int()?;
    let plain = items.bytes()?;
    let mut plain: VecDeque<u8> = plain.into();
    let all_plain_done = plain.is_empty();
    let mut others: VecDeque<u8> = items.bytes()?.into();
    let finished = finishes
        .iter()
        .map(|finish| {
            let done = match is_plain(finish) {
                true => all_plain_done || plain.pop_front() == Some(b'1'),
                false => others.pop_front() == Some(b'1'),
            };
            if done { FinishResult::Done } else { FinishResult::Stale }
        })
        .collect();
    let expired = u32::try_from(items.int()?).unwrap_or(0);
    let solo = match items.int()? {
        0 => Solo::None,
        1 => Solo::Elsewhere,
        3 => {
            let twice = "the call was carried out before, and that answer is lost";
            return Err(BrokerError::Unavailable(twice.to_owned()));
        }
        _ => Solo::MakeRoom,
    };
    let next_due = Some(items.int()?).filter(|ms| *ms >= 0).map(|ms| job::clock::from_ms(ms.max(now)));
    let mut leased = Vec::with_capacity(items.len() / 3);
    if !items.is_done() {
        let alone = items.int()? == 1;
        while !items.is_done() {
            leased.push(read_leased(&mut items, token, alone)?);
        }
    }
    Ok(Exchange { now: job::clock::from_ms(now), finished, leased, next_due, expired, solo })
}

fn read_leased(items: &mut Items, token: u64, solo: bool) -> Result<Leased, BrokerError> {
    let id = items.id()?;
    let record = items.bytes()?;
    // One job whose history cannot be read is one dead job, and not a lost batch.
    let (before, readable) = match Mutable::read(&items.bytes()?) {
        Ok(before) => (before.unwrap_or_default(), true),
        Err(_) => (Mutable::default(), false),
    };
    let attempt = before.attempt + 1;
    let unknown_since = before.tail.unknown_since();
    let broken = WireError::Broken("its history cannot be read");
    Ok(Leased {
        lease: Lease { id, token },
        envelope: if readable { wire::decode(id, attempt, &record) } else { Err(broken) },
        attempt,
        losses: before.losses,
        solo,
        errors: before.tail.past_errors(),
        unknown_since,
    })
}
