//! Real servers for tests: Redis alone, with AOF, behind TLS, as a Cluster, under Sentinels; Postgres; a server
//! that takes webhooks; and the `postrider` binary itself as a process that can be stopped, continued and killed.
//!
//! 1. Everything listens on 127.0.0.1, on free ports, with its data in a scratch folder.
//! 2. Everything ends with its value, and also when the test process panics or is killed: a small shell process, the
//!    [`janitor`], notices the end of the test process and cleans up after it.
//! 3. Nothing sleeps for a while and hopes: [`wait_until`] asks until a condition holds, and fails with its name.

mod hook;
pub mod janitor;
mod port;
mod postgres;
mod process;
mod redis;
mod wait;

pub use hook::Hook;
pub use port::free_port;
pub use postgres::{Database, POSTGRES_URL_VAR};
pub use process::{Process, ProcessBuilder, Signal};
pub use redis::{Redis, RedisBuilder, RedisCluster, Sentinels, SlowCommand, Tls, connection};
pub use wait::{wait_for, wait_until};
