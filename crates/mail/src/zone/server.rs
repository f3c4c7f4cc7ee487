//! A name server for a [`Zone`]: real packets, UDP and TCP, on one loopback port.
//!
//! It is authoritative for everything: a name that the zone does not have does not exist (NXDOMAIN), a name without the
//! asked type has no data, a CNAME is followed inside the zone. The zone can be replaced while it serves, and chosen
//! names can be made to fail, because a receiver's behaviour under SERVFAIL and silence is part of what is tested.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Edns, Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::RecordType;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Zone;
use super::answer::Answer;
use super::record::DnsName;

const TCP_IDLE: Duration = Duration::from_secs(10);
const TCP_RESPONSES: usize = 32;
/// Attempts to find a port that is free for UDP and for TCP.
const BIND_ATTEMPTS: usize = 16;

/// How a chosen name misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsFault {
    /// The server says SERVFAIL: a temporary error.
    ServFail,
    /// The server says REFUSED.
    Refused,
    /// The server does not answer at all.
    Silent,
    /// The server says SERVFAIL when it is asked for AAAA, and answers everything else.
    NoIpv6,
}

/// A running name server; it stops when dropped.
pub struct DnsServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
    _task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    zone: RwLock<Zone>,
    faults: RwLock<HashMap<DnsName, DnsFault>>,
    queries: AtomicU64,
}

impl DnsServer {
    /// Serves `zone` on `127.0.0.1`, on a port that the system chooses.
    ///
    /// # Errors
    /// No port could be bound.
    pub async fn start(zone: Zone) -> io::Result<Self> {
        let (udp, tcp) = bind_pair().await?;
        let addr = tcp.local_addr()?;
        let shared = Arc::new(Shared { zone: RwLock::new(zone), ..Shared::default() });
        let mut server = Server::new(Handler(Arc::clone(&shared)));
        server.register_socket(udp);
        server.register_listener(tcp, TCP_IDLE, TCP_RESPONSES);
        let shutdown = server.shutdown_token().clone();
        let task = tokio::spawn(async move {
            if let Err(error) = server.block_until_done().await {
                tracing::error!(%error, "the name server stopped");
            }
        });
        Ok(Self { addr, shared, shutdown, _task: task })
    }

    /// Where it listens, for UDP and TCP.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A copy of what it serves now.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.shared.zone.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves another zone from the next query on.
    pub fn set_zone(&self, zone: Zone) {
        *self.shared.zone.write().unwrap_or_else(PoisonError::into_inner) = zone;
    }

    /// Makes queries for exactly this name fail.
    pub fn fail(&self, name: &DnsName, fault: DnsFault) {
        self.shared.faults.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), fault);
    }

    /// Answers for this name again.
    pub fn heal(&self, name: &DnsName) {
        self.shared.faults.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Queries received since the start.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.shared.queries.load(Ordering::Relaxed)
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Resolvers retry over TCP on the same port when an answer is too long for a datagram, so both have to be ours.
async fn bind_pair() -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = io::Error::other("no port was tried");
    for _ in 0..BIND_ATTEMPTS {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

struct Handler(Arc<Shared>);

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut responses: R) -> ResponseInfo {
        self.0.queries.fetch_add(1, Ordering::Relaxed);
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = true;
        let answer = match request.request_info() {
            Err(_) => Answer::code(ResponseCode::FormErr),
            Ok(info) => match self.0.answer(&info.query.name().to_string(), info.query.query_type()) {
                Some(answer) => answer,
                None => return unsent(metadata),
            },
        };
        metadata.response_code = answer.code;
        let mut edns = Edns::new();
        edns.set_max_payload(request.max_payload());
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if request.edns.is_some() {
            builder.edns(&edns);
        }
        let response = builder.build(metadata, &answer.records, [], &answer.authority, []);
        match responses.send_response(response).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "a DNS answer could not be sent");
                unsent(metadata)
            }
        }
    }
}

/// What is reported to the server when nothing was sent.
fn unsent(metadata: Metadata) -> ResponseInfo {
    ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
}

impl Shared {
    /// `None` is silence.
    fn answer(&self, asked: &str, kind: RecordType) -> Option<Answer> {
        let Ok(name) = DnsName::parse(asked) else {
            return Some(Answer::code(ResponseCode::NXDomain));
        };
        let fault = self.faults.read().unwrap_or_else(PoisonError::into_inner).get(&name).copied();
        match fault {
            Some(DnsFault::Silent) => None,
            Some(DnsFault::NoIpv6) if kind == RecordType::AAAA => Some(Answer::code(ResponseCode::ServFail)),
            Some(DnsFault::ServFail) => Some(Answer::code(ResponseCode::ServFail)),
            Some(DnsFault::Refused) => Some(Answer::code(ResponseCode::Refused)),
            None | Some(DnsFault::NoIpv6) => {
                Some(Answer::to(&self.zone.read().unwrap_or_else(PoisonError::into_inner), &name, kind))
            }
        }
    }
}
