//! Lines of SMTP: CRLF and nothing else ends one.
//!
//! A bare LF or CR is refused everywhere. Two servers that disagree on where a line ends disagree on where a mail ends,
//! and what lies between is a second mail with a forged sender ("SMTP smuggling").

use std::io;
use std::time::Duration;

use memchr::memchr;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

/// A plain or an encrypted connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}
pub(super) type BoxedStream = Box<dyn Stream>;

const BUFFER: usize = 32 << 10;

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// As it should.
    Crlf,
    /// With an LF that no CR precedes, or there is a CR inside the line.
    Bare,
    /// There is more of it than the limit allows; the rest was thrown away.
    TooLong,
    /// The client has closed.
    Eof,
}

/// A connection that is read by lines and written by replies.
pub(super) struct Lines {
    stream: BufReader<BoxedStream>,
    replies: Vec<u8>,
    idle: Duration,
}

impl Lines {
    pub(super) fn new(stream: BoxedStream, idle: Duration) -> Self {
        Self { stream: BufReader::with_capacity(BUFFER, stream), replies: Vec::new(), idle }
    }

    /// Reads one line into `line`, without its end. `limit` counts the CRLF.
    pub(super) async fn read(&mut self, line: &mut Vec<u8>, limit: usize) -> io::Result<LineEnd> {
        line.clear();
        // Replies to pipelined commands go out together, when there is nothing left to read (RFC 2920 §3.2).
        if self.stream.buffer().is_empty() {
            self.flush().await?;
        }
        let mut too_long = false;
        loop {
            // Most lines lie here already: a message comes in one piece.
            if self.stream.buffer().is_empty() {
                tokio::time::timeout(self.idle, self.stream.fill_buf()).await??;
            }
            let available = self.stream.buffer();
            if available.is_empty() {
                return Ok(LineEnd::Eof);
            }
            let newline = memchr(b'\n', available);
            let taken = newline.map_or(available.len(), |at| at + 1);
            if line.len() + taken > limit {
                too_long = true;
                line.clear();
            } else if !too_long {
                line.extend_from_slice(&available[..taken]);
            }
            self.stream.consume(taken);
            if newline.is_some() {
                break;
            }
        }
        if too_long {
            return Ok(LineEnd::TooLong);
        }
        line.pop();
        let crlf = line.pop_if(|b| *b == b'\r').is_some();
        let clean = crlf && !line.contains(&b'\r');
        Ok(if clean { LineEnd::Crlf } else { LineEnd::Bare })
    }

    /// Queues a reply of one line.
    pub(super) fn reply(&mut self, code: u16, text: &str) {
        self.replies.extend_from_slice(format!("{code} {text}\r\n").as_bytes());
    }

    /// Queues a reply of several lines.
    pub(super) fn reply_lines(&mut self, code: u16, lines: &[String]) {
        for (index, line) in lines.iter().enumerate() {
            let separator = if index + 1 == lines.len() { ' ' } else { '-' };
            self.replies.extend_from_slice(format!("{code}{separator}{line}\r\n").as_bytes());
        }
    }

    /// Sends what is queued.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.replies.is_empty() {
            return Ok(());
        }
        let write = async {
            self.stream.write_all(&self.replies).await?;
            self.stream.flush().await
        };
        tokio::time::timeout(self.idle, write).await??;
        self.replies.clear();
        Ok(())
    }

    /// Whether the client has sent more than was read.
    pub(super) fn has_unread(&self) -> bool {
        !self.stream.buffer().is_empty()
    }

    /// Gives the connection away, for TLS. What is buffered is lost: ask [`has_unread`](Self::has_unread) first.
    pub(super) fn into_stream(self) -> BoxedStream {
        self.stream.into_inner()
    }

    /// Says goodbye to the transport: what is queued is sent, and the client sees the end.
    pub(super) async fn close(mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await
    }
}
