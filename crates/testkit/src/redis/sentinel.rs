//! A master with replicas, watched by three Sentinels that replace it quickly.

use std::time::Duration;

use super::{Redis, RedisBuilder};
use crate::wait_until;

/// A vote that was split is repeated only after twice the failover timeout.
const SOON: Duration = Duration::from_secs(90);

/// Under this name the Sentinels watch the master.
const MASTER: &str = "main";

/// The servers and their Sentinels; they are killed when dropped.
pub struct Sentinels {
    servers: Vec<Redis>,
    sentinels: Vec<Redis>,
}

impl Sentinels {
    /// Starts a master, `replicas` replicas (with AOF) and three Sentinels, and waits until all know each other.
    ///
    /// # Panics
    /// When they do not within 90 s.
    pub async fn start(replicas: usize) -> Self {
        let master = server().start().await;
        let port = master.port().to_string();
        let mut servers = vec![master];
        for _ in 0..replicas {
            servers.push(server().set("replicaof", &format!("127.0.0.1 {port}")).start().await);
        }
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let sentinel = Redis::builder()
                .sentinel()
                .set("sentinel monitor", &format!("{MASTER} 127.0.0.1 {port} 2"))
                // It asks once a second at most: a shorter time would take one late answer for a death.
                .set("sentinel down-after-milliseconds", &format!("{MASTER} 1500"))
                .set("sentinel failover-timeout", &format!("{MASTER} 10000"))
                .start()
                .await;
            // One that was late does nothing for 30 s, and asks for the servers' roles each 10 s, unless told otherwise.
            sentinel.ask::<()>(&["SENTINEL", "DEBUG", "tilt-period", "1000", "info-period", "1000"]).await;
            sentinels.push(sentinel);
        }
        let all = Self { servers, sentinels };
        wait_until("replicas are in step and Sentinels know each other", SOON, async || {
            let connected = all.servers[0].info("connected_slaves").await;
            let mut ready = connected.is_some_and(|count| count == replicas.to_string());
            for replica in &all.servers[1..] {
                ready &= replica.info("master_link_status").await.as_deref() == Some("up");
            }
            for sentinel in &all.sentinels {
                let fields: Vec<String> = sentinel.ask(&["SENTINEL", "MASTER", MASTER]).await;
                let field = |name: &str| fields.chunks(2).find(|pair| pair[0] == name).map(|pair| pair[1].clone());
                ready &= field("num-slaves") == Some(replicas.to_string());
                ready &= field("num-other-sentinels").as_deref() == Some("2");
                ready &= field("flags").as_deref() == Some("master");
            }
            ready
        })
        .await;
        all
    }

    /// `redis+sentinel://127.0.0.1:a,127.0.0.1:b,127.0.0.1:c/main/0`
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(|s| format!("127.0.0.1:{}", s.port())).collect();
        format!("redis+sentinel://{}/{MASTER}/0", hosts.join(","))
    }

    /// The port of the master, as the first Sentinel sees it.
    pub async fn master_port(&self) -> u16 {
        let address: Vec<String> = self.sentinels[0].ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]).await;
        address.get(1).and_then(|port| port.parse().ok()).expect("an address and a port")
    }

    /// The server that is master now.
    ///
    /// # Panics
    /// When the Sentinels name none of ours.
    pub async fn master(&mut self) -> &mut Redis {
        let port = self.master_port().await;
        self.servers.iter_mut().find(|server| server.port() == port).expect("the master is one of ours")
    }

    /// Kills the master and waits until all Sentinels agree on another that takes writes; returns its port.
    ///
    /// # Panics
    /// When they do not within 90 s.
    pub async fn kill_master(&mut self) -> u16 {
        let old = self.master().await;
        let old_port = old.port();
        old.kill().await;
        self.wait_for_other_than(old_port).await
    }

    /// Stops the master where it stands, as a machine that hangs: its connections stay open. Waits until all Sentinels
    /// agree on another that takes writes; returns the old and the new port.
    ///
    /// # Panics
    /// When they do not within 90 s.
    pub async fn freeze_master(&mut self) -> (u16, u16) {
        let old = self.master().await;
        let old_port = old.port();
        old.freeze();
        (old_port, self.wait_for_other_than(old_port).await)
    }

    /// Asks for a failover while all servers are well, and waits for it; returns the new master's port.
    ///
    /// # Panics
    /// When it does not happen within 90 s.
    pub async fn fail_over(&mut self) -> u16 {
        let old_port = self.master_port().await;
        // A Sentinel that has not yet seen a returned server as a replica would undo its promotion.
        wait_until("all Sentinels see all replicas as such", SOON, async || {
            let mut seen = true;
            for sentinel in &self.sentinels {
                let replicas: Vec<Vec<String>> = sentinel.ask(&["SENTINEL", "REPLICAS", MASTER]).await;
                for replica in &replicas {
                    let field =
                        |name: &str| replica.chunks(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
                    seen &= field("flags") == Some("slave");
                    seen &= field("role-reported") == Some("slave");
                    seen &= field("master-link-status") == Some("ok");
                }
            }
            seen
        })
        .await;
        self.sentinels[0].ask::<()>(&["SENTINEL", "FAILOVER", MASTER]).await;
        self.wait_for_other_than(old_port).await
    }

    /// All servers, dead ones included.
    #[must_use]
    pub fn servers(&mut self) -> &mut [Redis] {
        &mut self.servers
    }

    async fn wait_for_other_than(&self, old: u16) -> u16 {
        let mut new = old;
        wait_until("the Sentinels agree on another master", SOON, async || {
            let mut ports = Vec::new();
            for sentinel in &self.sentinels {
                let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER];
                let address: Vec<String> = sentinel.ask(&words).await;
                ports.push(address.get(1).and_then(|port| port.parse().ok()).unwrap_or(old));
            }
            new = ports[0];
            if new == old || ports.iter().any(|port| *port != new) {
                return false;
            }
            match self.servers.iter().find(|server| server.port() == new) {
                Some(server) => server.info("role").await.as_deref() == Some("master"),
                None => false,
            }
        })
        .await;
        new
    }
}

fn server() -> RedisBuilder {
    Redis::builder().aof()
}
