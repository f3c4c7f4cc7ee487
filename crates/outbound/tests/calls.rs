//! Calls against real servers on loopback: what is refused before anything is connected, and what is not followed.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use outbound::{Answer, Client, OutboundError, Resolve, Settings};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Gives a name another address each time it is asked.
struct Rebinding {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

#[async_trait::async_trait]
impl Resolve for Rebinding {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let n = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.answers[n.min(self.answers.len() - 1)].clone())
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn names(answers: &[&[IpAddr]]) -> Arc<Rebinding> {
    Arc::new(Rebinding { answers: answers.iter().map(|a| a.to_vec()).collect(), asked: AtomicUsize::new(0) })
}

fn listing(network: &str) -> Settings {
    Settings { allow: vec![network.parse().unwrap()], timeout: Duration::from_secs(20), ..Settings::default() }
}

/// Reads a request to the end of its body and answers with `answer`.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> String {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).await.unwrap();
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let length = text
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned))
            .map_or(0, |n| n.parse::<usize>().unwrap());
        if read == 0 || text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length) {
            // A client that has read enough hangs up: what it has read is what counts.
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
            return text;
        }
    }
}

/// A server that answers once, in clear; gives its address and what it was asked.
async fn once(answer: String) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move { serve(listener.accept().await.unwrap().0, &answer).await });
    (address, served)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_listed_address_is_called_in_clear_with_its_headers_and_body() {
    let (address, served) = once(ok("fine")).await;
    let client = Client::new(listing("127.0.0.1/32"), names(&[&[LOOPBACK]]));
    let url = format!("http://hooks.test:{}/in?x=1", address.port());
    let answer = client.post(&url, &[("webhook-id", "m1")], Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(
        answer,
        Answer { status: 200, body: Bytes::new() },
        "of an answer to what was sent only the status counts"
    );
    let request = served.await.unwrap();
    assert!(request.starts_with("POST /in?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: hooks.test:{}\r\n", address.port())), "{request}");
    assert!(request.contains("webhook-id: m1\r\n") && request.ends_with("\r\n\r\n{}"), "{request}");
}

#[tokio::test]
async fn what_is_not_of_the_internet_is_refused_before_anything_is_connected() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = Client::new(Settings::default(), names(&[&[LOOPBACK]]));
    for url in [
        format!("https://inner.test:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://[::1]:{port}/"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        format!("http://inner.test:{port}/"),
    ] {
        let error = client.get(&url).await.unwrap_err();
        // A name may lead elsewhere by and by.
        let named = url.contains("inner.test");
        assert!(matches!(error, OutboundError::Refused { .. }) && error.is_transient() == named, "{url}: {error}");
    }
    let nobody = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(nobody.is_err(), "nobody has connected");
}

#[tokio::test]
async fn plain_http_is_refused_even_to_a_public_address() {
    let client = Client::new(Settings::default(), names(&[&["93.184.216.34".parse().unwrap()]]));
    let error = client.get("http://example.com/").await.unwrap_err();
    assert_eq!(error, OutboundError::Url("the URL must begin with https://".to_owned()));
}

#[tokio::test]
async fn a_name_is_resolved_once_and_the_judged_address_is_the_one_connected_to() {
    let (address, served) = once(ok("first")).await;
    let elsewhere: IpAddr = "10.0.0.1".parse().unwrap();
    let resolver = names(&[&[elsewhere, LOOPBACK], &[elsewhere]]);
    let client = Client::new(listing("127.0.0.0/8"), Arc::clone(&resolver) as Arc<dyn Resolve>);
    let answer = client.get(&format!("http://turning.test:{}/", address.port())).await.unwrap();
    assert_eq!((answer.body.as_ref(), resolver.asked.load(Ordering::SeqCst)), (&b"first"[..], 1));
    served.await.unwrap();
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (address, served) =
        once("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_owned()).await;
    let client = Client::new(listing("127.0.0.1/32"), names(&[&[LOOPBACK]]));
    let answer = client.get(&format!("http://a.test:{}/", address.port())).await.unwrap();
    assert_eq!((answer.status, answer.is_success()), (302, false));
    served.await.unwrap();
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_not_read_on() {
    let border = Settings { limit: 10, ..listing("127.0.0.1/32") };
    for (body, fits) in [("0123456789", true), ("0123456789a", false)] {
        let (address, served) = once(ok(body)).await;
        let client = Client::new(border.clone(), names(&[&[LOOPBACK]]));
        let answer = client.get(&format!("http://a.test:{}/", address.port())).await;
        assert_eq!(answer.is_ok(), fits, "{answer:?}");
        if !fits {
            assert_eq!(answer, Err(OutboundError::TooLarge(10)));
        }
        served.await.unwrap();
    }
}

#[tokio::test]
async fn a_silent_server_and_one_that_is_not_there_are_transient() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let short = Settings { timeout: Duration::from_millis(100), ..listing("127.0.0.1/32") };
    let client = Client::new(short, names(&[&[LOOPBACK]]));
    assert_eq!(client.get(&format!("http://a.test:{}/", address.port())).await, Err(OutboundError::Timeout));
    drop(listener);
    let client = Client::new(listing("127.0.0.1/32"), names(&[&[LOOPBACK], &[]]));
    let gone = client.get(&format!("http://a.test:{}/", address.port())).await.unwrap_err();
    let nameless = client.get("https://a.test/").await.unwrap_err();
    assert!(matches!(gone, OutboundError::Network(_)) && gone.is_transient(), "{gone}");
    assert!(matches!(nameless, OutboundError::Unresolved { .. }) && nameless.is_transient(), "{nameless}");
}

#[tokio::test]
async fn the_certificate_has_to_be_that_of_the_name() {
    let made = rcgen::generate_simple_self_signed(["hooks.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, &ok("secret")).await;
            }
        }
    });
    let settings = Settings { extra_roots: Some(made.cert.pem().into_bytes()), ..listing("127.0.0.1/32") };
    let client = Client::new(settings, names(&[&[LOOPBACK]]));
    let right = client.get(&format!("https://hooks.test:{port}/")).await.unwrap();
    assert_eq!(right.body.as_ref(), b"secret");
    let wrong = client.get(&format!("https://other.test:{port}/")).await.unwrap_err();
    assert!(matches!(wrong, OutboundError::Tls(_)), "{wrong}");
    let strangers = Client::new(listing("127.0.0.1/32"), names(&[&[LOOPBACK]]));
    let unknown = strangers.get(&format!("https://hooks.test:{port}/")).await.unwrap_err();
    assert!(matches!(unknown, OutboundError::Tls(_) | OutboundError::Roots(_)), "{unknown}");
}

#[tokio::test]
async fn what_was_sent_is_taken_however_long_the_answer_is() {
    let (address, served) = once(ok(&"x".repeat(100_000))).await;
    let client = Client::new(listing("127.0.0.1/32"), names(&[&[LOOPBACK]]));
    let answer = client.post(&format!("http://a.test:{}/", address.port()), &[], Bytes::new()).await.unwrap();
    assert!(answer.is_success());
    served.await.unwrap();
}

#[tokio::test]
async fn each_address_of_a_name_is_tried_and_none_that_may_not_be_called() {
    let (address, served) = once(ok("second")).await;
    // Nobody listens at the second one, and the first may not be called.
    let addresses: [IpAddr; 3] = ["10.0.0.1", "127.0.0.2", "127.0.0.1"].map(|ip| ip.parse().unwrap());
    let client = Client::new(listing("127.0.0.0/8"), names(&[&addresses]));
    let answer = client.get(&format!("http://a.test:{}/", address.port())).await.unwrap();
    assert_eq!(answer.body.as_ref(), b"second");
    served.await.unwrap();
}
