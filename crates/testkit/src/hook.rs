//! A server that takes webhooks, or does not.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What was posted: each request as it came, and its body.
type Taken = Arc<Mutex<Vec<(String, Value)>>>;

/// The server, and what it was given.
pub struct Hook {
    url: String,
    taken: Taken,
    answer: Arc<Mutex<&'static str>>,
}

impl Hook {
    /// Starts one that answers `204 No Content`.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/in", listener.local_addr().expect("it is bound"));
        let (taken, answer): (Taken, _) = (Arc::default(), Arc::new(Mutex::new("204 No Content")));
        let (keep, say) = (Arc::clone(&taken), Arc::clone(&answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // A caller that went away is no reason to serve nobody any more.
                let Some(request) = request(&mut stream).await else { continue };
                let status = *say.lock().expect("nobody panics with it");
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                // First the answer: who sees what was taken may end the caller.
                let _ = stream.write_all(answer.as_bytes()).await;
                keep.lock().expect("nobody panics with it").push(request);
            }
        });
        Self { url, taken, answer }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it answers from now on, as `410 Gone`.
    ///
    /// # Panics
    /// When another thread panicked in here.
    pub fn answer(&self, status: &'static str) {
        *self.answer.lock().expect("nobody panics with it") = status;
    }

    /// Requests and bodies so far.
    ///
    /// # Panics
    /// When another thread panicked in here.
    #[must_use]
    pub fn taken(&self) -> Vec<(String, Value)> {
        self.taken.lock().expect("nobody panics with it").clone()
    }
}

/// One request and its body; none where the caller goes away before its end.
async fn request(stream: &mut TcpStream) -> Option<(String, Value)> {
    let (mut request, mut chunk) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        request.push_str(&String::from_utf8_lossy(&chunk[..read]));
        if let Some((_, body)) = request.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            return Some((request, body));
        }
    }
}
