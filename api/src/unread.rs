//! What a client is still sending when it has been refused already.
//!
//! A server that answers and closes in the middle of a body makes the kernel reset the connection, and the client sees
//! "broken pipe" in place of the answer. So a large body is kept within reach, and after a refusal the rest of it is
//! read and thrown away: at most 32 MiB, for at most 5 s. Who sent `Expect: 100-continue` and was not asked for the body
//! does not send it, and is answered at once.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;

/// What is smaller fits the buffers on the way: the client has sent it before it looks for the answer.
const LARGE: u64 = 16 << 10;
/// How much is thrown away.
const MOST: usize = 32 << 20;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The rest of a body, wherever the body itself went.
#[derive(Debug)]
pub struct Rest {
    body: Shared,
    expects: bool,
}

#[derive(Debug, Clone)]
struct Shared(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    body: Body,
    begun: bool,
}

/// The request, and the rest of its body if that is large, or of unknown length.
pub fn keep(request: Request) -> (Request, Option<Rest>) {
    if !is_worth_it(request.headers()) {
        return (request, None);
    }
    let expects = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let shared = Shared(Arc::new(Mutex::new(Reading { body, begun: false })));
    (Request::from_parts(head, Body::new(shared.clone())), Some(Rest { body: shared, expects }))
}

/// Large enough to be still on its way, and not larger than what would be thrown away.
fn is_worth_it(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).map(|v| v.to_str().ok().and_then(|v| v.parse::<u64>().ok()));
    match length {
        Some(length) => length.is_none_or(|length| (LARGE + 1..=MOST as u64).contains(&length)),
        None => headers.contains_key(header::TRANSFER_ENCODING),
    }
}

impl Rest {
    /// Reads and throws away what is left.
    pub async fn drain(mut self) {
        if self.expects && !self.body.lock().begun {
            return;
        }
        let reading = async {
            let mut read = 0;
            while let Some(Ok(frame)) = self.body.frame().await {
                read += frame.data_ref().map_or(0, Bytes::len);
                if read > MOST {
                    break;
                }
            }
        };
        // Whether all of it was read makes no difference to the answer.
        let _ = timeout(PATIENCE, reading).await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut reading = self.lock();
        reading.begun = true;
        Pin::new(&mut reading.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}
