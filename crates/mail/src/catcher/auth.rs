//! AUTH PLAIN and AUTH LOGIN (RFC 4954, RFC 4616), for one name and password.

use std::io;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;

use super::lines::LineEnd;
use super::script::Step;
use super::session::{Flow, Scripted, Session};

/// RFC 4954 §4.
const MAX_RESPONSE: usize = 12_288;

impl Session {
    pub(super) async fn auth(&mut self, mechanism: &str, initial: Option<&str>) -> io::Result<Flow> {
        if self.shared.options.credentials.is_none() {
            return Ok(self.refuse(502, "5.5.1 not offered"));
        }
        if self.ehlo.is_none() || self.authenticated || self.envelope.is_some() {
            return Ok(self.refuse(503, "5.5.1 not now"));
        }
        if let Scripted::Done(flow) = self.scripted(&Step::Auth).await? {
            return Ok(flow);
        }
        let given = match mechanism {
            "PLAIN" => self.plain(initial).await?,
            "LOGIN" => self.login(initial).await?,
            _ => return Ok(self.refuse(504, "5.5.4 the mechanism is not supported")),
        };
        let right = given.is_some_and(|(name, password)| self.is_right(&name, &password));
        if !right {
            return Ok(self.refuse(535, "5.7.8 the credentials are not right"));
        }
        self.authenticated = true;
        Ok(self.accept(235, "2.7.0 welcome"))
    }

    async fn plain(&mut self, initial: Option<&str>) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        let response = match initial {
            Some(initial) => STANDARD.decode(initial).ok(),
            None => self.challenge("").await?,
        };
        Ok(response.and_then(|response| {
            let mut parts = response.split(|b| *b == 0);
            let (_authorize, name, password) = (parts.next()?, parts.next()?, parts.next()?);
            Some((name.to_vec(), password.to_vec()))
        }))
    }

    async fn login(&mut self, initial: Option<&str>) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        let name = match initial {
            Some(initial) => STANDARD.decode(initial).ok(),
            None => self.challenge("Username:").await?,
        };
        let password = self.challenge("Password:").await?;
        Ok(name.zip(password))
    }

    async fn challenge(&mut self, text: &str) -> io::Result<Option<Vec<u8>>> {
        self.reply(334, &STANDARD.encode(text));
        let mut line = Vec::new();
        let end = self.lines().read(&mut line, MAX_RESPONSE).await?;
        Ok((end == LineEnd::Crlf).then(|| STANDARD.decode(&line).ok()).flatten())
    }

    fn is_right(&self, name: &[u8], password: &[u8]) -> bool {
        self.shared.options.credentials.as_ref().is_some_and(|(wanted_name, wanted_password)| {
            let name = verify_slices_are_equal(name, wanted_name.as_bytes()).is_ok();
            let password = verify_slices_are_equal(password, wanted_password.expose_secret().as_bytes()).is_ok();
            name && password
        })
    }
}
