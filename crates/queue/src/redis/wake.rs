//! Waiting for work without asking for it again and again.
//!
//! A worker that finds nothing to lease leaves a mark in Redis; whoever brings work removes the mark and publishes to
//! the queue's channel, both in the script that brings it. So a message cannot fall between the look and the wait, and
//! a busy queue publishes nothing. One subscription serves all waits of a process; while it is down a wait ends early,
//! every half second, and the worker looks for itself. A subscription on which nothing comes is pinged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use futures::StreamExt;
use redis::Value;
use redis::aio::{PubSub, PubSubSink};
use tokio::sync::watch;
use tokio::time::timeout;

use super::link::Link;

/// How often a worker looks for itself while nobody can call it.
const DEAF: Duration = Duration::from_millis(500);

/// How often a silent subscription is asked whether somebody is there, and how long the answer may take.
const PING: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(2);

/// The calls that arrived, for each queue's channel.
pub(super) struct Wake {
    link: Arc<Link>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    channels: HashMap<String, Channel>,
    /// The listening task, with the set of channels that it subscribed to.
    listener: Option<tokio::task::JoinHandle<()>>,
}

struct Channel {
    calls: watch::Sender<u64>,
    /// The last call that a wait of this process saw: a call between two waits ends the next one at once.
    seen: u64,
    subscribed: watch::Sender<bool>,
}

impl Wake {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, state: Mutex::default() }
    }

    pub(super) async fn wait(self: &Arc<Self>, bases: &[String], at_most: Duration) {
        let mut calls = Vec::with_capacity(bases.len());
        let mut deaf = false;
        {
            let mut state = match self.state.lock() {
                Ok(state) => state,
                Err(poisoned) => poisoned.into_inner(),
            };
            let mut new = false;
            for base in bases {
                let name = format!("{base}wake");
                let channel = state.channels.entry(name).or_insert_with(|| {
                    new = true;
                    Channel { calls: watch::Sender::new(0), seen: 0, subscribed: watch::Sender::new(false) }
                });
                let count = *channel.calls.borrow();
                if count != channel.seen {
                    channel.seen = count;
                    return;
                }
                deaf |= !*channel.subscribed.borrow();
                calls.push(channel.calls.subscribe());
            }
            if new || state.listener.as_ref().is_none_or(|task| task.is_finished()) {
                if let Some(old) = state.listener.take() {
                    old.abort();
                }
                let names = state.channels.keys().cloned().collect();
                state.listener = Some(tokio::spawn(listen(Arc::downgrade(self), names)));
            }
        }
        let limit = if deaf { at_most.min(DEAF) } else { at_most };
        let called = futures::future::select_all(calls.iter_mut().map(|c| Box::pin(c.changed())));
        let _ = timeout(limit, called).await;
        self.note_seen(bases);
    }

    fn note_seen(&self, bases: &[String]) {
        if let Ok(mut state) = self.state.lock() {
            for base in bases {
                if let Some(channel) = state.channels.get_mut(&format!("{base}wake")) {
                    channel.seen = *channel.calls.borrow();
                }
            }
        }
    }

    fn each(&self, names: &[String], mut act: impl FnMut(&mut Channel)) {
        if let Ok(mut state) = self.state.lock() {
            for name in names {
                if let Some(channel) = state.channels.get_mut(name) {
                    act(channel);
                }
            }
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        if let Ok(state) = self.state.get_mut()
            && let Some(task) = state.listener.take()
        {
            task.abort();
        }
    }
}

/// Completes when a subscription is not answered any more: a server that is gone without a word sends nothing, as one does
/// that has nothing to say.
async fn until_silent(mut subscriber: PubSubSink) {
    loop {
        tokio::time::sleep(PING).await;
        if !matches!(timeout(ANSWER, subscriber.ping::<Value>()).await, Ok(Ok(_))) {
            return;
        }
    }
}

/// Subscribes, passes calls on, and subscribes again when the connection is lost. Ends with its [`Wake`].
async fn listen(wake: Weak<Wake>, names: Vec<String>) {
    while let Some(strong) = wake.upgrade() {
        let link = Arc::clone(&strong.link);
        drop(strong);
        if let Ok((mut subscriber, mut messages)) = link.subscriber().await.map(PubSub::split)
            && matches!(timeout(ANSWER, subscriber.subscribe(&names)).await, Ok(Ok(())))
        {
            let Some(strong) = wake.upgrade() else { return };
            // Whatever was published before the subscription is made good by one look.
            strong.each(&names, |channel| {
                channel.subscribed.send_replace(true);
                channel.calls.send_modify(|n| *n += 1);
            });
            drop(strong);
            let pass_on = async {
                while let Some(message) = messages.next().await {
                    let Some(strong) = wake.upgrade() else { return };
                    let name = [message.get_channel_name().to_owned()];
                    strong.each(&name, |channel| channel.calls.send_modify(|n| *n += 1));
                }
            };
            tokio::select! {
                () = pass_on => {}
                () = until_silent(subscriber) => {}
            }
        }
        let Some(strong) = wake.upgrade() else { return };
        strong.each(&names, |channel| {
            channel.subscribed.send_replace(false);
        });
        drop(strong);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
