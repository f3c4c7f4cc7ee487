//! STARTTLS and TLS from the first byte.

use std::sync::Arc;

use mail::catcher::CatcherTls;
use mail::{CatcherOptions, RelayConfig, Security, SendErrorKind, SendPhase, SmtpTransport, TlsRoots};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::lab::{self, Lab};

/// A catcher with a fresh certificate for localhost, and that certificate as PEM.
async fn encrypted(implicit: bool) -> (Lab, Vec<u8>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let tls = Some(CatcherTls { config: Arc::new(config), implicit });
    (Lab::with(CatcherOptions { tls, ..CatcherOptions::default() }).await, cert.pem().into_bytes())
}

fn relay(lab: &Lab, security: Security, roots: Vec<u8>) -> RelayConfig {
    RelayConfig { host: "localhost".to_owned(), security, roots: TlsRoots::Pem(roots), ..lab.relay() }
}

#[tokio::test]
async fn a_mail_is_sent_encrypted_either_way_and_the_connection_is_used_again() {
    for (implicit, security) in [(false, Security::StartTls), (true, Security::ImplicitTls)] {
        let (lab, certificate) = encrypted(implicit).await;
        let transport = SmtpTransport::new(relay(&lab, security, certificate)).unwrap();
        for _ in 0..2 {
            transport.send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap();
        }
        lab.arrived(2).await;
        assert_eq!(lab.inbox.list()[0].raw, lab::signed());
        assert_eq!(transport.idle_connections(), 1);
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (_, other) = encrypted(false).await;
    for (implicit, security) in [(false, Security::StartTls), (true, Security::ImplicitTls)] {
        let (lab, _) = encrypted(implicit).await;
        let transport = SmtpTransport::new(relay(&lab, security, other.clone())).unwrap();
        let error = transport.send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap_err();
        assert_eq!((error.phase, error.kind), (SendPhase::Connect, SendErrorKind::Network), "{error}");
        assert_eq!(lab.inbox.received(), 0);
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (lab, certificate) = encrypted(true).await;
    let config = RelayConfig { host: "127.0.0.1".to_owned(), ..relay(&lab, Security::ImplicitTls, certificate) };
    let error = SmtpTransport::new(config).unwrap().send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap_err();
    assert_eq!(error.phase, SendPhase::Connect, "{error}");
}

#[tokio::test]
async fn without_starttls_nothing_is_sent_in_clear() {
    let (_, certificate) = encrypted(false).await;
    let lab = Lab::new().await;
    let transport = SmtpTransport::new(relay(&lab, Security::StartTls, certificate)).unwrap();
    let error = transport.send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (SendPhase::Ehlo, SendErrorKind::Protocol));
    assert_eq!(lab.inbox.received(), 0);
}

#[tokio::test]
async fn words_that_were_slipped_in_before_the_encryption_end_the_connection() {
    let (_, certificate) = encrypted(false).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let relay_in_the_middle = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 hello\r\n").await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        stream.write_all(b"250-hello\r\n250 STARTTLS\r\n").await.unwrap();
        stream.read_line(&mut line).await.unwrap();
        stream.write_all(b"220 go ahead\r\n250 and this is not encrypted\r\n").await.unwrap();
        line.clear();
        let _ = stream.read_line(&mut line).await;
        line
    });
    let plain = RelayConfig::plain(addr, "mail.postrider.test");
    let config = RelayConfig {
        host: "localhost".to_owned(),
        security: Security::StartTls,
        roots: TlsRoots::Pem(certificate),
        ..plain
    };
    let error = SmtpTransport::new(config).unwrap().send(&lab::envelope(), &lab::signed(), lab::yes).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (SendPhase::Ehlo, SendErrorKind::Protocol), "{error}");
    assert_eq!(relay_in_the_middle.await.unwrap(), "", "not a byte was sent after that");
}

#[tokio::test]
async fn the_catcher_does_not_obey_what_came_before_the_encryption() {
    let (lab, _) = encrypted(false).await;
    let mut stream = BufReader::new(tokio::net::TcpStream::connect(lab.catcher.addr()).await.unwrap());
    stream.write_all(b"EHLO x.test\r\nSTARTTLS\r\nMAIL FROM:<a@postrider.test>\r\n").await.unwrap();
    let mut lines = stream.lines();
    let mut last = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        last = line;
    }
    assert!(last.starts_with("554 "), "{last}");
}
