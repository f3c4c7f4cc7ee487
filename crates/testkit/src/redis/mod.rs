//! `redis-server` processes.

mod cluster;
mod sentinel;
mod server;
mod tls;

pub use cluster::RedisCluster;
pub use sentinel::Sentinels;
pub use server::{Redis, RedisBuilder, SlowCommand, connection};
pub use tls::Tls;
