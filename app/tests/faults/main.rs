//! The faults that the platform survives, each shown with real processes: the binary itself as API and workers, real
//! Redis servers, a store in SQLite or Postgres, a relay that speaks SMTP.
//!
//! 1. [`rig`] holds what a scene needs: a store, a key, a folder, and how its processes are started.
//! 2. [`load`] sends jobs over HTTP and remembers each one that was accepted, for the reckoning at the end.
//! 3. [`scene`] is API, workers and load together, for those who disturb Redis.
//! 4. [`mailroom`] is the relay, with a DNS zone to verify what arrives.
//! 5. The rest are the faults, one file a kind.
//!
//! Nothing here sleeps for a while and hopes: each step waits for a condition. Scenes that measure take the machine for
//! themselves ([`turn`]).

#![expect(clippy::unwrap_used, reason = "a scene that cannot go on has failed")]

mod backlog;
mod end_to_end;
mod killed_alerts;
mod killed_mails;
mod killed_workers;
mod load;
mod long_pause;
mod lost_queue;
mod mailroom;
mod poison;
mod reconcile;
mod redis_faults;
mod rig;
mod scene;
mod schedulers;
mod shutdown;
mod stopped_worker;
mod store_faults;
mod topologies;
mod turn;
mod unreadable;
