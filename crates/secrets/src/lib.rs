//! What must not be read, and what must not be forged: one ring of keys, and what is made with it.
//!
//! 1. A [`Keyring`] holds root keys of 256 bits by id. One of them is current: it seals and signs. All of them open and
//!    verify, so that a key can be changed while what the old one made is still about.
//! 2. No root key is used itself: HKDF-SHA256 (RFC 5869) makes one of its own for each [`Purpose`], so that a token made
//!    for one thing is worth nothing for another.
//! 3. [`Keyring::seal`] and [`Keyring::open`] hide content in the store, bound to the row that it belongs to.
//! 4. [`Keyring::sign_link`] and [`Keyring::verify_link`] make links that act for whoever holds them, for a while.
//! 5. [`Keyring::tag`] and [`Keyring::has_tag`] mark something as ours (a bounce address); [`Keyring::pseudonym`] stands
//!    for something that must be recognised, and not be read.
//!
//! Nothing here shows a key or a content in `Debug`. Crypto is aws-lc; nonces come from the operating system.

mod key;
mod keyring;
mod link;
mod purpose;
mod seal;
mod tag;

pub use key::{KeyError, KeyId, RootKey};
pub use keyring::{Keyring, KeyringError};
pub use link::LinkError;
pub use purpose::Purpose;
pub use seal::{OpenError, Row};
