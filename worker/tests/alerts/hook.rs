//! A server that takes webhooks, or does not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use outbound::{Client, Settings, SystemResolver};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use worker::alerts::Post;
use worker::notices::Webhook;

pub const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// What was posted: the id of each call and its body.
type Taken = Arc<Mutex<Vec<(String, Value)>>>;

/// The server, and what it was given.
pub struct Hook {
    pub address: SocketAddr,
    taken: Taken,
    answer: Arc<Mutex<&'static str>>,
}

impl Hook {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (taken, answer): (Taken, _) = (Arc::default(), Arc::new(Mutex::new("204 No Content")));
        let (keep, say) = (Arc::clone(&taken), Arc::clone(&answer));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (mut request, mut chunk) = (String::new(), [0; 4096]);
                let body = loop {
                    let read = stream.read(&mut chunk).await.unwrap();
                    request.push_str(&String::from_utf8_lossy(&chunk[..read]));
                    if let Some((_, body)) = request.split_once("\r\n\r\n")
                        && let Ok(body) = serde_json::from_str::<Value>(body)
                    {
                        break body;
                    }
                };
                keep.lock().unwrap().push((request, body));
                let answer = format!("HTTP/1.1 {}\r\ncontent-length: 0\r\n\r\n", *say.lock().unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, taken, answer }
    }

    /// What it answers from now on.
    pub fn answer(&self, status: &'static str) {
        *self.answer.lock().unwrap() = status;
    }

    /// Requests and bodies so far.
    pub fn taken(&self) -> Vec<(String, Value)> {
        self.taken.lock().unwrap().clone()
    }

    /// A way to it.
    pub fn post(&self, secret: Option<&str>) -> Arc<Post> {
        let settings = Settings { allow: vec!["127.0.0.1/32".parse().unwrap()], ..Settings::default() };
        let client = Client::new(settings, Arc::new(SystemResolver));
        Arc::new(Post::new(Webhook::new(&format!("http://{}/in", self.address), secret, client).unwrap()))
    }
}
