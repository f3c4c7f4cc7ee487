//! The connection to Redis, found again whenever it is lost.
//!
//! 1. A call takes the current connection, or makes one: directly, by asking the Sentinels for the master, or from the
//!    Cluster's map of slots.
//! 2. An answer that says "not here, not now" (lost, read-only, loading) drops the connection, so that the next call
//!    looks for the right server again. The caller hears [`BrokerError::Unavailable`] and decides when to call again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use config::{HostPort, RedisTopology, RedisUrl, Secret};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, Pipeline, RedisConnectionInfo,
    RedisError, RedisFuture, ServerErrorKind, TlsCertificates, TlsMode, Value,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::RedisSettings;
use crate::error::BrokerError;

/// Where connections come from, and the one in use.
pub(super) struct Link {
    source: Source,
    config: AsyncConnectionConfig,
    connect_timeout: Duration,
    response_timeout: Duration,
    current: Mutex<Current>,
    /// Which of the servers is asked for the subscription next.
    next_node: AtomicUsize,
}

/// The connection in use, and what is known of its making.
#[derive(Default)]
struct Current {
    connection: Option<Connection>,
    /// Rises with each new connection, so that a late error of an old one does not drop the new one.
    generation: u64,
    /// The last try that failed: whoever waited for it hears the same, and does not try again one by one.
    failed: Option<(Instant, String)>,
}

/// How long a failed try speaks for the next ones.
const FAILED_FOR: Duration = Duration::from_millis(100);

enum Source {
    Direct(Box<Client>),
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster { cluster: Box<ClusterClient>, nodes: Vec<Client> },
}

/// A connection to one server or to a whole Cluster; clones share it.
#[derive(Clone)]
pub enum Connection {
    /// To one server.
    Single(MultiplexedConnection),
    /// To a Cluster.
    Cluster(ClusterConnection),
}

impl Link {
    pub(super) fn new(url: &RedisUrl, settings: &RedisSettings) -> Result<Self, BrokerError> {
        let invalid = |e: RedisError| BrokerError::Invalid(format!("queue.url: {e}"));
        let certificates = settings.ca.clone().map(|ca| TlsCertificates { client_tls: None, root_cert: Some(ca) });
        let (user, password) = (url.user.as_deref(), url.password.as_ref().map(Secret::expose));
        let mut info = RedisConnectionInfo::default();
        if let Some(user) = user {
            info = info.set_username(user);
        }
        if let Some(password) = password {
            info = info.set_password(password);
        }
        let address = |host: &HostPort| match url.tls {
            true => {
                ConnectionAddr::TcpTls { host: host.host.clone(), port: host.port, insecure: false, tls_params: None }
            }
            false => ConnectionAddr::Tcp(host.host.clone(), host.port),
        };
        let client = |host: &HostPort, db: i64| {
            let info = address(host)
                .into_connection_info()?
                .set_tcp_settings(tcp_settings(settings))
                .set_redis_settings(info.clone().set_db(db));
            match &certificates {
                Some(certificates) => Client::build_with_tls(info, certificates.clone()),
                None => Client::open(info),
            }
        };
        let tcp = tcp_settings(settings);
        let tls_mode = if url.tls { Some(TlsMode::Secure) } else { None };
        let source = match &url.topology {
            RedisTopology::Standalone { host, db } => Source::Direct(Box::new(client(host, *db).map_err(invalid)?)),
            RedisTopology::Sentinel { hosts, master, db } => {
                let hosts: Vec<_> = hosts.iter().map(address).collect();
                let mut builder = SentinelClientBuilder::new(hosts, master, SentinelServerType::Master)
                    .map_err(invalid)?
                    .set_client_to_redis_tcp_settings(tcp)
                    .set_client_to_redis_db(*db);
                if let Some(mode) = tls_mode {
                    builder = builder.set_client_to_redis_tls_mode(mode).set_client_to_sentinel_tls_mode(mode);
                }
                if let Some(certificates) = certificates {
                    builder = builder
                        .set_client_to_redis_certificates(certificates.clone())
                        .set_client_to_sentinel_certificates(certificates);
                }
                if let Some(user) = user {
                    builder = builder.set_client_to_redis_username(user);
                }
                if let Some(password) = password {
                    builder = builder.set_client_to_redis_password(password);
                }
                if let Some(user) = &settings.sentinel_user {
                    builder = builder.set_client_to_sentinel_username(user);
                }
                if let Some(password) = &settings.sentinel_password {
                    builder = builder.set_client_to_sentinel_password(password.expose());
                }
                Source::Sentinel(Box::new(Mutex::new(builder.build().map_err(invalid)?)))
            }
            RedisTopology::Cluster { seeds } => {
                let nodes = seeds.iter().map(|seed| client(seed, 0)).collect::<Result<Vec<_>, _>>().map_err(invalid)?;
                let mut builder = ClusterClient::builder(nodes.iter().map(|node| node.get_connection_info().clone()))
                    .tcp_settings(tcp)
                    .connection_timeout(settings.connect_timeout)
                    .response_timeout(settings.response_timeout)
                    .retries(3);
                if let Some(mode) = tls_mode {
                    builder = builder.tls(mode);
                }
                if let Some(certificates) = certificates {
                    builder = builder.certs(certificates);
                }
                Source::Cluster { cluster: Box::new(builder.build().map_err(invalid)?), nodes }
            }
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.response_timeout));
        let (connect_timeout, response_timeout) = (settings.connect_timeout, settings.response_timeout);
        let (current, next_node) = (Mutex::default(), AtomicUsize::new(0));
        Ok(Self { source, config, connect_timeout, response_timeout, current, next_node })
    }

    /// The connection in use, or a new one.
    pub(super) async fn connection(&self) -> Result<Connection, BrokerError> {
        Ok(self.numbered_connection().await?.0)
    }

    /// The same, with its generation.
    pub(super) async fn numbered_connection(&self) -> Result<(Connection, u64), BrokerError> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &current.connection {
            return Ok((connection.clone(), current.generation));
        }
        if let Some((at, why)) = &current.failed
            && at.elapsed() < FAILED_FOR
        {
            return Err(BrokerError::Unavailable(why.clone()));
        }
        match self.connect().await {
            Ok(connection) => {
                current.connection = Some(connection.clone());
                current.generation += 1;
                current.failed = None;
                Ok((connection, current.generation))
            }
            Err(e) => {
                current.failed = Some((Instant::now(), e.to_string()));
                Err(BrokerError::Unavailable(e.to_string()))
            }
        }
    }

    async fn connect(&self) -> Result<Connection, RedisError> {
        let connecting = async {
            Ok(match &self.source {
                Source::Direct(client) => {
                    Connection::Single(client.get_multiplexed_async_connection_with_config(&self.config).await?)
                }
                Source::Sentinel(sentinels) => {
                    Connection::Single(sentinels.lock().await.get_async_connection_with_config(&self.config).await?)
                }
                Source::Cluster { cluster, .. } => Connection::Cluster(cluster.get_async_connection().await?),
            })
        };
        // Asking several Sentinels or nodes in turn may take a few time-outs; not for ever.
        let late = |_| RedisError::from((ErrorKind::Io, "no server answered in time"));
        tokio::time::timeout(self.connect_timeout * 3, connecting).await.unwrap_or_else(|e| Err(late(e)))
    }

    /// Sends one command.
    pub(super) async fn send(&self, cmd: &Cmd) -> Result<Value, BrokerError> {
        let (mut connection, generation) = self.numbered_connection().await?;
        match connection.req_packed_command(cmd).await.and_then(Value::extract_error) {
            Ok(value) => Ok(value),
            Err(e) => Err(self.judge(e, generation).await),
        }
    }

    /// Sends several commands back to back on one connection, so that the later ones speak of the earlier ones.
    /// Answers them with the connection's generation, for [`Link::judge`].
    pub(super) async fn send_all(&self, pipeline: &Pipeline, count: usize) -> Result<(Vec<Value>, u64), BrokerError> {
        let (mut connection, generation) = self.numbered_connection().await?;
        match connection.req_packed_commands(pipeline, 0, count).await {
            Ok(values) => Ok((values, generation)),
            Err(e) => Err(self.judge(e, generation).await),
        }
    }

    /// What an error means; a connection that led to the wrong place, or nowhere, is dropped.
    pub(super) async fn judge(&self, e: RedisError, generation: u64) -> BrokerError {
        let wrong_place = matches!(
            e.kind(),
            ErrorKind::Io
                | ErrorKind::ClusterConnectionNotFound
                | ErrorKind::Parse
                | ErrorKind::AuthenticationFailed
                | ErrorKind::Server(
                    ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading
                )
        );
        // No answer in time may mean that the server hangs, or that its machine is gone, while Sentinels have long chosen
        // another: whoever looks anew finds out. A Cluster's connection looks for itself.
        let gave_up = e.is_timeout() && matches!(self.source, Source::Cluster { .. });
        if wrong_place && !gave_up {
            self.drop_connection(generation).await;
        }
        match e.kind() {
            ErrorKind::Server(ServerErrorKind::ResponseError) => BrokerError::Corrupt(e.to_string()),
            ErrorKind::UnexpectedReturnType => BrokerError::Corrupt(e.to_string()),
            _ => unavailable(&e),
        }
    }

    /// Forgets a connection, if it is still the one in use.
    pub(super) async fn drop_connection(&self, generation: u64) {
        let mut current = self.current.lock().await;
        if current.generation == generation {
            current.connection = None;
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.source, Source::Cluster { .. })
    }

    /// How long a call may come again that was sent once: a Cluster's connection repeats what it lost an answer to, for as
    /// long as the answer is waited for. Elsewhere a call is sent once.
    pub(super) fn remembered_for(&self) -> Option<Duration> {
        self.is_cluster().then_some(self.response_timeout * 2)
    }

    /// A connection of its own for a subscription: to the server itself, or to any node of a Cluster (a plain message
    /// reaches every node).
    pub(super) async fn subscriber(&self) -> Result<redis::aio::PubSub, BrokerError> {
        let connecting = async {
            match &self.source {
                Source::Direct(client) => client.get_async_pubsub().await,
                Source::Sentinel(sentinels) => {
                    let client = sentinels.lock().await.async_get_client().await?;
                    client.get_async_pubsub().await
                }
                Source::Cluster { nodes, .. } => {
                    let n = self.next_node.fetch_add(1, Ordering::Relaxed);
                    nodes[n % nodes.len()].get_async_pubsub().await
                }
            }
        };
        tokio::time::timeout(self.connect_timeout * 3, connecting)
            .await
            .map_err(|_| BrokerError::Unavailable("no server answered in time".to_owned()))?
            .map_err(|e| unavailable(&e))
    }
}

/// Small messages leave at once; a peer that vanished without a word is given up after an answer's time, also where
/// nothing is under way.
fn tcp_settings(settings: &RedisSettings) -> TcpSettings {
    let alive = TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(2));
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(alive);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(settings.response_timeout.max(Duration::from_secs(2)));
    #[cfg(not(target_os = "linux"))]
    let _ = settings;
    tcp
}

fn unavailable(e: &RedisError) -> BrokerError {
    BrokerError::Unavailable(e.to_string())
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(c) => c.req_packed_command(cmd),
            Self::Cluster(c) => c.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(&'a mut self, cmd: &'a Pipeline, skip: usize, n: usize) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(c) => c.req_packed_commands(cmd, skip, n),
            Self::Cluster(c) => c.req_packed_commands(cmd, skip, n),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(c) => c.get_db(),
            Self::Cluster(c) => c.get_db(),
        }
    }
}
