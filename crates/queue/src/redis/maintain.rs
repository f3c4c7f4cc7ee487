//! Keeping leases alive, and the housekeeping.

use job::QueueName;

use super::answer::{self, Items};
use super::{RedisBroker, script};
use crate::broker::MAX_BATCH;
use crate::error::BrokerError;
use crate::lease::{Extended, Lease, Maintained};

/// The most jobs that one step of housekeeping touches.
const STEP: usize = 512;
/// How many running jobs a step of [`RedisBroker::give_back_lost`] asks for; the server may give somewhat more.
const WALK: usize = 256;

impl RedisBroker {
    pub(super) async fn renew(&self, queue: &QueueName, leases: &[Lease]) -> Result<Vec<Extended>, BrokerError> {
        let base = self.base(queue);
        let mut answers = Vec::with_capacity(leases.len());
        for chunk in leases.chunks(MAX_BATCH) {
            let mut arguments = vec![self.now_arg(), self.settings.lease.as_millis().to_string().into_bytes()];
            for lease in chunk {
                arguments.push(lease.id.as_bytes().to_vec());
                arguments.push(lease.token.to_be_bytes().to_vec());
            }
            let said = answer::bytes(self.call(&script::EXTEND, &base, &arguments).await?)?;
            if said.len() != chunk.len() {
                return Err(answer::unexpected("character for each lease"));
            }
            answers.extend(said.iter().map(|c| match c {
                b'1' => Extended::Renewed,
                b'2' => Extended::CancelRequested,
                _ => Extended::Lost,
            }));
        }
        Ok(answers)
    }

    /// Walks the running jobs in steps and gives back those of a lease call whose answer was lost.
    pub(super) async fn give_back_lost(&self, queue: &QueueName, token: u64) -> Result<u32, BrokerError> {
        let (base, mut from, mut released) = (self.base(queue), b"0".to_vec(), 0);
        loop {
            let arguments = [self.now_arg(), token.to_be_bytes().to_vec(), from, WALK.to_string().into_bytes()];
            let mut items = Items::of(self.call(&script::DISOWN, &base, &arguments).await?)?;
            released += u32::try_from(items.int()?).unwrap_or(0);
            from = items.bytes()?;
            if from == b"0" {
                return Ok(released);
            }
        }
    }

    pub(super) async fn keep_house(&self, queue: &QueueName) -> Result<Maintained, BrokerError> {
        self.keep_common_house(queue);
        let s = &self.settings;
        let ms = |d: std::time::Duration| d.as_millis().to_string().into_bytes();
        let arguments = [
            self.now_arg(),
            ms(s.lease),
            ms(s.silence),
            STEP.to_string().into_bytes(),
            ms(s.retention.completed_age),
            s.retention.ended_count.to_string().into_bytes(),
            ms(s.retention.ended_age),
            s.completed_count(queue).to_string().into_bytes(),
        ];
        let mut items = Items::of(self.call(&script::MAINTAIN, &self.base(queue), &arguments).await?)?;
        let mut count = || items.int().map(|n| u32::try_from(n).unwrap_or(0));
        let (promoted, reaped, crashed, trimmed) = (count()?, count()?, count()?, count()?);
        let more = !items.bytes()?.is_empty();
        let mut cancel_requested = Vec::new();
        while !items.is_done() {
            cancel_requested.push(items.id()?);
        }
        Ok(Maintained { promoted, reaped, crashed, trimmed, cancel_requested, more })
    }
}
