//! The way to a server that takes webhooks.

use std::sync::Arc;

use outbound::{Client, Settings, SystemResolver};
use testkit::Hook;
use worker::alerts::Post;
use worker::notices::Webhook;

pub const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A way to it.
pub fn way(hook: &Hook, secret: Option<&str>) -> Arc<Post> {
    let settings = Settings { allow: vec!["127.0.0.1/32".parse().unwrap()], ..Settings::default() };
    let client = Client::new(settings, Arc::new(SystemResolver));
    Arc::new(Post::new(Webhook::new(hook.url(), secret, client).unwrap()))
}
