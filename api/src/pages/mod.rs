//! The pages for people: made on the server, complete without a script, a little livelier with one. Nothing is loaded
//! from elsewhere.

pub mod acknowledge;
pub mod mailbox;
pub mod search;
mod template;
pub mod templates;
pub mod unsubscribe;
