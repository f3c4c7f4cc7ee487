//! The rules, a file a topic. `main.rs` lists every case and runs it on every backend.

pub mod cancel;
pub mod disown;
pub mod enqueue;
pub mod extend;
pub mod finish;
pub mod lease;
pub mod list;
pub mod maintain;
pub mod order;
pub mod reap;
pub mod redrive;
pub mod reserve;
pub mod stats;
pub mod suspects;
pub mod unique;
pub mod unreadable;
pub mod wake;
