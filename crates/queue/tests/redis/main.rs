//! What only a Redis can do to a queue: lose an answer, lose a node, change its master, fill up. Real servers.

#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

mod cluster;
mod memory;
mod proxy;
mod seat;
mod silence;
