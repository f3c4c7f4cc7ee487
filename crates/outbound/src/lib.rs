//! Calls to other people's servers: operators' webhooks, published policies. Written so that nobody can use them to reach
//! what they should not.
//!
//! 1. Only `https://`. Plain `http://` is for addresses that the operator has listed on purpose ([`Settings::allow`]).
//! 2. The name is resolved once, and each address judged ([`Settings::permits`]): loopback, private, link-local and other
//!    addresses that are not of the Internet are refused unless listed.
//! 3. The connection goes to the address that was judged, whatever the name resolves to meanwhile; the certificate must
//!    be the name's.
//! 4. No redirect is followed, no proxy is used, no cookie is kept. An answer is read up to a limit (64 KiB), and all of
//!    it together has a bounded time (10 s).
//!
//! Every error says whether trying again can help: [`OutboundError::is_transient`].

mod addresses;
mod client;
mod error;
mod resolve;
mod target;
mod tls;

pub use addresses::Settings;
pub use client::{Answer, Client};
pub use error::OutboundError;
pub use ipnet::IpNet;
pub use resolve::{Resolve, SystemResolver};
