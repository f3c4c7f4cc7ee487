//! One call: resolve, judge, connect to what was judged, ask, read up to the limit.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::header::{HOST, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::addresses::Settings;
use crate::error::OutboundError;
use crate::resolve::Resolve;
use crate::target::Target;
use crate::tls::Tls;

/// Makes calls. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    settings: Settings,
    resolver: Arc<dyn Resolve>,
    tls: Tls,
}

/// What a server answered; any status, redirects included, which are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, complete; that of an answer to what was sent is not read.
    pub body: Bytes,
}

impl Answer {
    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Client {
    /// A client with these settings; nothing is connected or loaded yet.
    #[must_use]
    pub fn new(settings: Settings, resolver: Arc<dyn Resolve>) -> Self {
        let tls = Tls::new(settings.extra_roots.clone());
        Self(Arc::new(Inner { settings, resolver, tls }))
    }

    /// Fetches a URL.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn get(&self, url: &str) -> Result<Answer, OutboundError> {
        self.call(Method::GET, url, &[], Bytes::new()).await
    }

    /// Sends a body to a URL.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn post(&self, url: &str, headers: &[(&str, &str)], body: Bytes) -> Result<Answer, OutboundError> {
        self.call(Method::POST, url, headers, body).await
    }

    async fn call(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, OutboundError> {
        let target = Target::parse(url)?;
        let mut request = Request::builder()
            .method(method)
            .uri(&target.path)
            .header(HOST, &target.authority)
            .header(USER_AGENT, "postrider");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(|e| OutboundError::Url(e.to_string()))?;
        match timeout(self.0.settings.timeout, self.ask(&target, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(OutboundError::Timeout),
        }
    }

    async fn ask(&self, target: &Target, request: Request<Full<Bytes>>) -> Result<Answer, OutboundError> {
        let stream = self.connect(target).await?;
        if !target.tls {
            return self.exchange(stream, request).await;
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|e| OutboundError::Url(e.to_string()))?;
        let encrypted = self.0.tls.connector()?.connect(name, stream).await;
        self.exchange(encrypted.map_err(|e| OutboundError::Tls(e.to_string()))?, request).await
    }

    /// A connection to the first of the target's addresses that answers; each has its share of the time.
    async fn connect(&self, target: &Target) -> Result<TcpStream, OutboundError> {
        let addresses = self.judged(target).await?;
        let share = self.0.settings.timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let mut failed = OutboundError::Timeout;
        for ip in addresses {
            match timeout(share, TcpStream::connect(SocketAddr::new(ip, target.port))).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(e)) => failed = OutboundError::Network(format!("{}: {e}", target.authority)),
                Err(_) => failed = OutboundError::Timeout,
            }
        }
        Err(failed)
    }

    /// The addresses that the call may go to: those of the target's that may be called.
    async fn judged(&self, target: &Target) -> Result<Vec<IpAddr>, OutboundError> {
        let unresolved = |why: String| OutboundError::Unresolved { host: target.host.clone(), why };
        let addresses = match target.literal() {
            Some(ip) => vec![ip],
            None => self.0.resolver.addresses(&target.host).await.map_err(|e| unresolved(e.to_string()))?,
        };
        let settings = &self.0.settings;
        let may = |ip: &IpAddr| if target.tls { settings.permits(*ip) } else { settings.lists(*ip) };
        let permitted: Vec<IpAddr> = addresses.iter().copied().filter(may).collect();
        match (permitted.is_empty(), addresses.first()) {
            (false, _) => Ok(permitted),
            (true, None) => Err(unresolved("it has no address".to_owned())),
            (true, Some(ip)) if !target.tls && settings.permits(*ip) => {
                Err(OutboundError::Url("the URL must begin with https://".to_owned()))
            }
            (true, Some(ip)) => Err(OutboundError::Refused { host: target.host.clone(), ip: *ip }),
        }
    }

    async fn exchange<S>(&self, stream: S, request: Request<Full<Bytes>>) -> Result<Answer, OutboundError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let network = |e: hyper::Error| OutboundError::Network(e.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(network)?;
        let reads = request.method() == Method::GET;
        let asking = async {
            let answer = sender.send_request(request).await.map_err(network)?;
            let status = answer.status().as_u16();
            if !reads {
                return Ok(Answer { status, body: Bytes::new() });
            }
            let limit = self.0.settings.limit;
            let body = Limited::new(answer.into_body(), limit).collect().await.map_err(|e| {
                match e.downcast_ref::<LengthLimitError>() {
                    Some(_) => OutboundError::TooLarge(limit),
                    None => OutboundError::Network(e.to_string()),
                }
            })?;
            Ok(Answer { status, body: body.to_bytes() })
        };
        tokio::pin!(connection, asking);
        // The connection only moves while it is polled; whatever ends first, it is dropped with this call.
        tokio::select! {
            answer = &mut asking => answer,
            ended = &mut connection => match ended {
                Ok(()) => asking.await,
                Err(e) => Err(network(e)),
            },
        }
    }
}
