//! A Redis Cluster of real nodes, each a master with its share of the 16,384 slots.

use std::time::Duration;

use super::Redis;
use crate::wait_until;

const SLOTS: usize = 16_384;

/// The nodes; they are killed when dropped.
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts `count` masters without replicas and waits until each of them says that the Cluster works.
    ///
    /// # Panics
    /// When it does not within 30 s.
    pub async fn start(count: usize) -> Self {
        let mut nodes = Vec::with_capacity(count);
        for _ in 0..count {
            nodes.push(Redis::builder().aof().cluster().start().await);
        }
        for (i, node) in nodes.iter().enumerate() {
            let (first, last) = (SLOTS * i / count, SLOTS * (i + 1) / count - 1);
            node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).await;
            // Nodes that begin with the same epoch would first have to settle which is older.
            node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(i + 1).to_string()]).await;
        }
        for node in &nodes[1..] {
            let bus: String = node.ask::<Vec<String>>(&["CONFIG", "GET", "cluster-port"]).await.remove(1);
            nodes[0].ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), &bus]).await;
        }
        for node in &nodes {
            wait_until("every node knows every slot", Duration::from_secs(30), async || {
                let info: String = node.ask(&["CLUSTER", "INFO"]).await;
                info.contains("cluster_state:ok")
                    && info.contains(&format!("cluster_known_nodes:{count}\r"))
                    && info.contains(&format!("cluster_slots_ok:{SLOTS}\r"))
            })
            .await;
        }
        Self { nodes }
    }

    /// `redis+cluster://127.0.0.1:a,127.0.0.1:b,…`
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The nodes, to disturb or to ask.
    #[must_use]
    pub fn nodes(&mut self) -> &mut [Redis] {
        &mut self.nodes
    }
}
