//! Enqueueing: jobs are grouped by queue and written in calls of at most [`MAX_BATCH`].

use job::{JobId, QueueName, wire};
use redis::Value;

use super::answer::{self, Items, unexpected};
use super::registry::SLOTS;
use super::{RedisBroker, script};
use crate::broker::{Enqueue, Enqueued, MAX_BATCH, Reservation};
use crate::error::BrokerError;

impl RedisBroker {
    pub(super) async fn enqueue_all(&self, jobs: &[Enqueue]) -> Result<Vec<Enqueued>, BrokerError> {
        let mut results = vec![Enqueued::New; jobs.len()];
        let mut queues: Vec<(&QueueName, Vec<usize>)> = Vec::new();
        for (n, job) in jobs.iter().enumerate() {
            let queue = &job.envelope.queue;
            match queues.iter_mut().find(|(name, _)| *name == queue) {
                Some((_, members)) => members.push(n),
                None => queues.push((queue, vec![n])),
            }
        }
        for (queue, members) in queues {
            self.register_unknown(queue).await;
            let base = self.base(queue);
            for chunk in members.chunks(MAX_BATCH) {
                let (plain, others): (Vec<usize>, Vec<usize>) = chunk.iter().partition(|n| is_plain(&jobs[**n]));
                let mut arguments = Vec::with_capacity(2 + plain.len() * 2 + others.len() * 6);
                arguments.push(self.now_arg());
                arguments.push(plain.len().to_string().into_bytes());
                for n in &plain {
                    let envelope = &jobs[*n].envelope;
                    arguments.push(envelope.id.as_bytes().to_vec());
                    arguments.push(wire::encode(envelope));
                }
                for n in &others {
                    push(&mut arguments, &jobs[*n]);
                }
                let value = self.call_acked(&script::ENQUEUE, &base, &arguments).await?;
                let mut duplicates = Items::of(value)?;
                while !duplicates.is_done() {
                    let number = usize::try_from(duplicates.int()?).map_err(|_| unexpected("job number"))?;
                    let job = plain.iter().chain(&others).nth(number.wrapping_sub(1));
                    results[*job.ok_or_else(|| unexpected("job number"))?] = Enqueued::Duplicate(duplicates.id()?);
                }
            }
        }
        Ok(results)
    }

    pub(super) async fn reserve_key(
        &self,
        scope: &str,
        key: &str,
        digest: [u8; 32],
        id: JobId,
    ) -> Result<Reservation, BrokerError> {
        let whole = format!("{scope}\n{key}");
        let slot = whole.bytes().fold(0_u8, |h, b| h.wrapping_mul(31).wrapping_add(b)) % SLOTS;
        let base = self.slot(slot);
        let arguments = [self.now_arg(), whole.into_bytes(), digest.to_vec(), id.as_bytes().to_vec()];
        match self.call_acked(&script::RESERVE, &base, &arguments).await? {
            Value::BulkString(said) if said == b"new" => Ok(Reservation::New),
            Value::BulkString(said) if said == b"conflict" => Ok(Reservation::Conflict),
            Value::BulkString(first) => Ok(Reservation::Same(answer::id(&first)?)),
            _ => Err(unexpected("reservation")),
        }
    }
}

/// Due at once (by Redis's clock, not by the caller's), without a key, not to be remembered.
fn is_plain(job: &Enqueue) -> bool {
    let e = &job.envelope;
    e.run_at <= e.created_at && e.unique_key.is_none() && !job.once
}

fn push(arguments: &mut Vec<Vec<u8>>, job: &Enqueue) {
    let e = &job.envelope;
    let due = if e.run_at <= e.created_at { 0 } else { e.run_at.as_millisecond() };
    arguments.push(e.id.as_bytes().to_vec());
    arguments.push(wire::encode(e));
    arguments.push(due.to_string().into_bytes());
    arguments.push(vec![b'0' + e.priority.get()]);
    arguments.push(if job.once { b"1".to_vec() } else { Vec::new() });
    arguments.push(e.unique_key.as_ref().map_or_else(Vec::new, |key| key.as_str().as_bytes().to_vec()));
}
