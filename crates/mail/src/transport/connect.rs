//! From a configuration to a connection that is ready for MAIL.
//!
//! STARTTLS is done here and not by lettre, which would keep what the relay, or somebody in between, sent in clear
//! behind its answer and take it for encrypted (RFC 3207 §5). Here any such octet ends the connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials as LettreCredentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::config::{RelayConfig, Security, Timeouts, TlsRoots, TransportSetupError};
use super::connection::{Connection, Offers};
use super::error::{Failure, Reply, SendErrorKind, SendPhase};
use super::patience::in_two_halves;
use super::wire::{Meter, Socket, Wire};

/// What lettre reads in place of the greeting that was read before STARTTLS.
const GREETED: &[u8] = b"220 encrypted\r\n";
const MAX_REPLY_LINES: usize = 100;
const MAX_REPLY_LINE: u64 = 2048;

/// Makes connections to one relay.
pub(super) struct Connector {
    pub(super) config: RelayConfig,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    pub(super) fn new(config: RelayConfig) -> Result<Self, TransportSetupError> {
        config.check()?;
        let tls = match config.security {
            Security::Plain => None,
            Security::StartTls | Security::ImplicitTls => {
                let name = ServerName::try_from(config.host.clone())
                    .map_err(|error| TransportSetupError::Tls(error.to_string()))?;
                Some((TlsConnector::from(Arc::new(client_config(&config.roots)?)), name))
            }
        };
        Ok(Self { config, tls })
    }

    /// TCP, TLS, greeting, EHLO, AUTH.
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        let timeouts = &self.config.timeouts;
        let host = (self.config.host.as_str(), self.config.port);
        let tcp = within(timeouts.connect, SendPhase::Connect, TcpStream::connect(host)).await?;
        tcp.set_nodelay(true).map_err(|error| network(SendPhase::Connect, &error))?;
        let (socket, replay): (_, &'static [u8]) = match (&self.tls, self.config.security) {
            (Some(tls), Security::ImplicitTls) => (self.encrypt(tls, tcp).await?, b""),
            (Some(tls), _) => {
                let tcp = self.start_tls(tcp).await?;
                (self.encrypt(tls, tcp).await?, GREETED)
            }
            (None, _) => (Socket::Plain(tcp), b""),
        };

        let meter = Arc::new(Meter::recording());
        let wire = Box::new(Wire::new(socket, replay, Arc::clone(&meter)));
        let hello = ClientId::Domain(self.config.ehlo_name.clone());
        let phase = || {
            if meter.written() == 0 { SendPhase::Connect } else { SendPhase::Ehlo }
        };
        let mut smtp = in_two_halves(
            &meter,
            timeouts.greeting,
            timeouts.command,
            |meter| meter.written() > 0,
            AsyncSmtpConnection::connect_with_transport(wire, &hello),
        )
        .await
        .ok_or_else(|| Failure::timeout(phase()))?
        .map_err(|error| Failure::of(phase(), &error, &meter))?;
        let offers = Offers::parse(&meter.take_transcript());

        if let Some(credentials) = &self.config.credentials {
            let login =
                LettreCredentials::new(credentials.username.clone(), credentials.password.expose_secret().to_owned());
            tokio::time::timeout(timeouts.command, smtp.auth(&[Mechanism::Plain, Mechanism::Login], &login))
                .await
                .map_err(|_| Failure::timeout(SendPhase::Auth))?
                .map_err(|error| Failure::of(SendPhase::Auth, &error, &meter))?;
        }
        Ok(Connection::new(smtp, meter, offers))
    }

    async fn encrypt(
        &self,
        (connector, name): &(TlsConnector, ServerName<'static>),
        tcp: TcpStream,
    ) -> Result<Socket, Failure> {
        let handshake = connector.connect(name.clone(), tcp);
        let tls = within(self.config.timeouts.connect, SendPhase::Connect, handshake).await?;
        Ok(Socket::Tls(Box::new(tls)))
    }

    /// Greeting, EHLO, STARTTLS, all in clear.
    async fn start_tls(&self, tcp: TcpStream) -> Result<TcpStream, Failure> {
        let Timeouts { greeting, command, .. } = self.config.timeouts;
        let protocol = |text| Failure::new(SendPhase::Ehlo, SendErrorKind::Protocol, text);
        let mut lines = BufReader::new(tcp);
        expect(&mut lines, greeting, SendPhase::Connect, 220).await?;
        say(&mut lines, command, &format!("EHLO {}\r\n", self.config.ehlo_name)).await?;
        let offers = expect(&mut lines, command, SendPhase::Ehlo, 250).await?;
        if !offers.iter().any(|offer| offer.eq_ignore_ascii_case("STARTTLS")) {
            return Err(protocol("the relay does not offer STARTTLS"));
        }
        say(&mut lines, command, "STARTTLS\r\n").await?;
        expect(&mut lines, command, SendPhase::Ehlo, 220).await?;
        if !lines.buffer().is_empty() {
            return Err(protocol("the relay said more after STARTTLS"));
        }
        Ok(lines.into_inner())
    }
}

fn client_config(roots: &TlsRoots) -> Result<ClientConfig, TransportSetupError> {
    let mut store = RootCertStore::empty();
    match roots {
        TlsRoots::System => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        TlsRoots::Pem(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| TransportSetupError::Tls(error.to_string()))?;
                store.add(certificate).map_err(|error| TransportSetupError::Tls(error.to_string()))?;
            }
        }
    }
    if store.is_empty() {
        return Err(TransportSetupError::Tls("there is no certificate authority to trust".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| TransportSetupError::Tls(error.to_string()))?;
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

async fn within<T>(limit: Duration, phase: SendPhase, work: impl Future<Output = io::Result<T>>) -> Result<T, Failure> {
    tokio::time::timeout(limit, work)
        .await
        .map_err(|_| Failure::timeout(phase))?
        .map_err(|error| network(phase, &error))
}

fn network(phase: SendPhase, error: &io::Error) -> Failure {
    Failure::new(phase, SendErrorKind::Network, error.to_string())
}

async fn say(lines: &mut BufReader<TcpStream>, limit: Duration, command: &str) -> Result<(), Failure> {
    within(limit, SendPhase::Ehlo, lines.write_all(command.as_bytes())).await
}

/// Reads one reply, of any number of lines, and returns their texts if its code is the wanted one.
async fn expect(
    lines: &mut BufReader<TcpStream>,
    limit: Duration,
    phase: SendPhase,
    wanted: u16,
) -> Result<Vec<String>, Failure> {
    let reply = tokio::time::timeout(limit, read_reply(lines, phase));
    let (code, texts) = reply.await.map_err(|_| Failure::timeout(phase))??;
    if code == wanted { Ok(texts) } else { Err(Failure::refused(phase, Reply::new(code, &texts.join(" ")))) }
}

async fn read_reply(lines: &mut BufReader<TcpStream>, phase: SendPhase) -> Result<(u16, Vec<String>), Failure> {
    let strange = || Failure::new(phase, SendErrorKind::Protocol, "the reply is not SMTP");
    let mut texts = Vec::new();
    while texts.len() < MAX_REPLY_LINES {
        let mut line = Vec::new();
        let read = (&mut *lines).take(MAX_REPLY_LINE).read_until(b'\n', &mut line).await;
        if read.map_err(|error| network(phase, &error))? == 0 {
            return Err(Failure::new(phase, SendErrorKind::Network, "the relay closed the connection"));
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_suffix("\r\n").ok_or_else(strange)?;
        let code = line.get(..3).and_then(|code| code.parse().ok()).ok_or_else(strange)?;
        texts.push(line.get(4..).unwrap_or_default().to_owned());
        match line.as_bytes().get(3) {
            Some(b'-') => {}
            None | Some(b' ') => return Ok((code, texts)),
            Some(_) => return Err(strange()),
        }
    }
    Err(strange())
}
