//! The operator's hands: cancel, redrive, pause, resume.

use job::{JobId, JobState, QueueName};

use super::answer;
use super::{RedisBroker, script};
use crate::error::BrokerError;
use crate::record::{Cancelled, Redriven};

impl RedisBroker {
    pub(super) async fn cancel_one(&self, id: JobId) -> Result<Cancelled, BrokerError> {
        for queue in self.queues_of(id).await? {
            let arguments = [self.now_arg(), id.as_bytes().to_vec()];
            let said = answer::bytes(self.call(&script::CANCEL, &self.base(&queue), &arguments).await?)?;
            return Ok(match said.as_slice() {
                b"" => continue,
                b"now" => Cancelled::Now,
                b"asked" => Cancelled::Requested,
                other => Cancelled::Ended(state(other)?),
            });
        }
        Ok(Cancelled::NotFound)
    }

    pub(super) async fn redrive_one(&self, id: JobId) -> Result<Redriven, BrokerError> {
        for queue in self.queues_of(id).await? {
            let arguments = [self.now_arg(), id.as_bytes().to_vec()];
            let said = answer::bytes(self.call(&script::REDRIVE, &self.base(&queue), &arguments).await?)?;
            return Ok(match said.as_slice() {
                b"" => continue,
                b"now" => Redriven::Now,
                [b'h', b'e', b'l', b'd', holder @ ..] => Redriven::KeyHeld(answer::id(holder)?),
                b"W" => match self.look_at(id).await? {
                    Some(record) => Redriven::WrongState(record.state),
                    None => Redriven::NotFound,
                },
                other => Redriven::WrongState(state(other)?),
            });
        }
        Ok(Redriven::NotFound)
    }

    pub(super) async fn set_paused(&self, queue: &QueueName) -> Result<(), BrokerError> {
        self.register_unknown(queue).await;
        self.call(&script::PAUSE, &self.base(queue), &[self.now_arg()]).await.map(|_| ())
    }

    pub(super) async fn lift_pause(&self, queue: &QueueName) -> Result<(), BrokerError> {
        self.call(&script::RESUME, &self.base(queue), &[self.now_arg()]).await.map(|_| ())
    }
}

/// The state behind a letter of the mutable part; `W`, waiting, is told apart elsewhere.
pub(super) fn state(letter: &[u8]) -> Result<JobState, BrokerError> {
    match letter {
        b"R" => Ok(JobState::Running),
        b"C" => Ok(JobState::Completed),
        b"D" => Ok(JobState::Dead),
        b"X" => Ok(JobState::Cancelled),
        b"E" => Ok(JobState::Expired),
        _ => Err(answer::unexpected("state")),
    }
}
