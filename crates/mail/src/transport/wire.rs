//! The connection below lettre: it counts, so that what really happened can be told afterwards.
//!
//! lettre writes the message and the dot in one call and cannot say how far it got. Everything that it writes passes
//! here in clear, before encryption, so the meter knows whether the last byte of the dot was ever handed over. It also
//! keeps the EHLO answer, of which lettre does not tell SIZE and PIPELINING, and ends a reply that has no end. What a relay
//! says in letters that are no UTF-8 (old ones do, in the language of their country) is read with question marks: lettre
//! would take the whole reply for a broken connection, and its code is what counts.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::client::TlsStream;

/// What a relay may say in answer to one command.
const MAX_REPLY: usize = 128 << 10;
const END_OF_MESSAGE: [u8; 5] = *b"\r\n.\r\n";

/// What has passed over a connection.
#[derive(Default)]
pub(super) struct Meter {
    /// The last eight octets written.
    tail: AtomicU64,
    written: AtomicU64,
    /// Octets read since the last write.
    unasked: AtomicUsize,
    ended: AtomicBool,
    /// Rings at every write.
    bell: Notify,
    /// What was read, until somebody takes it.
    transcript: Mutex<Option<Vec<u8>>>,
}

impl Meter {
    /// A meter that keeps what it reads, until [`take_transcript`](Self::take_transcript).
    pub(super) fn recording() -> Self {
        Self { transcript: Mutex::new(Some(Vec::new())), ..Self::default() }
    }

    /// Octets written.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Returns after the next write; perhaps at once, for one before.
    pub(super) async fn progress(&self) {
        self.bell.notified().await;
    }

    /// Whether the last octets written are the end of a message. They cannot occur before it: dots are stuffed.
    pub(super) fn dot_written(&self) -> bool {
        let tail = self.tail.load(Ordering::Acquire).to_be_bytes();
        tail[3..] == END_OF_MESSAGE
    }

    /// Whether the relay has closed its side.
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Everything read so far; nothing is kept from now on.
    pub(super) fn take_transcript(&self) -> Vec<u8> {
        self.transcript.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    pub(super) fn wrote(&self, octets: &[u8]) {
        let last = octets.iter().skip(octets.len().saturating_sub(8));
        let tail = last.fold(self.tail.load(Ordering::Acquire), |tail, octet| tail << 8 | u64::from(*octet));
        self.tail.store(tail, Ordering::Release);
        self.written.fetch_add(octets.len() as u64, Ordering::AcqRel);
        self.unasked.store(0, Ordering::Release);
        self.bell.notify_one();
    }

    fn read(&self, octets: &[u8]) -> io::Result<()> {
        if let Some(transcript) = self.transcript.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            transcript.extend_from_slice(octets);
        }
        if self.unasked.fetch_add(octets.len(), Ordering::AcqRel) + octets.len() > MAX_REPLY {
            return Err(io::Error::other("the reply has no end"));
        }
        Ok(())
    }
}

/// TCP, with TLS on it or not.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Socket::Plain(tcp) => tcp,
            Socket::Tls(tls) => tls.get_ref().0,
        }
    }
}

/// A metered socket. `replay` is read first: after STARTTLS there is no second greeting, but lettre waits for one.
pub(super) struct Wire {
    socket: Socket,
    replay: &'static [u8],
    meter: Arc<Meter>,
}

impl Wire {
    pub(super) fn new(socket: Socket, replay: &'static [u8], meter: Arc<Meter>) -> Self {
        Self { socket, replay, meter }
    }
}

/// Makes text of what is none. A letter that came in two pieces is lost too: nobody needs it.
fn readable(octets: &mut [u8]) {
    if std::str::from_utf8(octets).is_err() {
        octets.iter_mut().filter(|octet| !octet.is_ascii()).for_each(|octet| *octet = b'?');
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.replay.is_empty() {
            let (now, later) = self.replay.split_at(self.replay.len().min(buf.remaining()));
            buf.put_slice(now);
            self.replay = later;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = match &mut self.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Socket::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        };
        if let Poll::Ready(result) = &polled {
            let read = &mut buf.filled_mut()[before..];
            if result.is_err() || read.is_empty() {
                self.meter.ended.store(true, Ordering::Release);
            } else {
                readable(read);
                self.meter.read(read)?;
            }
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = match &mut self.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Socket::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        };
        if let Poll::Ready(Ok(count)) = polled {
            self.meter.wrote(&buf[..count]);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Socket::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Socket::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.tcp().peer_addr()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}
