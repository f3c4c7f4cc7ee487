//! Judging a received mail as a receiver would: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 9989).
//!
//! mail-auth does the judging, over a resolver that asks one given name server; nothing is looked up anywhere else. The
//! verdicts are the words of RFC 8601 §2.7, so that they can be compared with what real receivers write into
//! Authentication-Results.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use mail_auth::dkim::DkimError as AuthDkimError;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, Error as AuthError, MessageAuthenticator, SpfResult,
};
use serde::Serialize;

use crate::dns::{Dns, DnsSetupError};

/// A result, as RFC 8601 §2.7 spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Genuine.
    Pass,
    /// Not genuine.
    Fail,
    /// SPF `~all`: probably not.
    SoftFail,
    /// The domain says nothing either way, or a signature could not be processed.
    Neutral,
    /// Nothing there to judge by.
    None,
    /// A DNS failure that may pass.
    TempError,
    /// A record that is wrong.
    PermError,
    /// Signed, but in a way that is not accepted.
    Policy,
}

impl Verdict {
    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::SoftFail => "softfail",
            Verdict::Neutral => "neutral",
            Verdict::None => "none",
            Verdict::TempError => "temperror",
            Verdict::PermError => "permerror",
            Verdict::Policy => "policy",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The three verdicts on one mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verdicts {
    /// Of the MAIL FROM domain, or of the EHLO name if MAIL FROM is empty (RFC 7208 §2.4).
    pub spf: Verdict,
    /// The best of all signatures: one that passes is enough (RFC 6376 §6.1).
    pub dkim: Verdict,
    /// Whether one of the two passed for a domain aligned with From.
    pub dmarc: Verdict,
}

impl Verdicts {
    /// What is said of a mail that could not be judged in time.
    pub const UNJUDGED: Self = Self { spf: Verdict::TempError, dkim: Verdict::TempError, dmarc: Verdict::TempError };
}

/// A mail as it came in over SMTP.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The message, after dot-unstuffing.
    pub raw: &'a [u8],
    /// Who connected.
    pub client_ip: IpAddr,
    /// The EHLO or HELO name.
    pub ehlo: &'a str,
    /// The MAIL FROM address; `None` for `<>`.
    pub mail_from: Option<&'a str>,
}

/// Judges mails. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    authenticator: MessageAuthenticator,
}

impl Verifier {
    /// A verifier that asks only `nameserver`, over UDP and, for long answers, TCP. Answers are not cached, so a zone
    /// that was changed counts at once.
    ///
    /// # Errors
    /// [`DnsSetupError`].
    pub fn new(nameserver: SocketAddr) -> Result<Self, DnsSetupError> {
        Self::over(&Dns::new(&[nameserver])?)
    }

    /// A verifier that asks the name servers of `dns`.
    ///
    /// # Errors
    /// [`DnsSetupError`].
    pub fn over(dns: &Dns) -> Result<Self, DnsSetupError> {
        let (config, options) = dns.parts();
        let authenticator =
            MessageAuthenticator::new(config, options).map_err(|error| DnsSetupError(error.to_string()))?;
        Ok(Self { authenticator })
    }

    /// The best of the message's signatures, and if that is no pass, why (RFC 8601 §2.7.1).
    pub async fn dkim(&self, raw: &[u8]) -> (Verdict, Option<String>) {
        let Some(message) = AuthenticatedMessage::parse(raw) else { return (Verdict::None, None) };
        let outputs = self.authenticator.verify_dkim(&message).await;
        let why = outputs.iter().find_map(|output| match output.result() {
            DkimResult::Neutral(error)
            | DkimResult::Fail(error)
            | DkimResult::PermError(error)
            | DkimResult::TempError(error) => Some(error.to_string()),
            DkimResult::Pass | DkimResult::None => None,
        });
        (dkim_verdict(&outputs), why)
    }

    /// The three verdicts. Never fails: what cannot be judged is `none`, `temperror` or `permerror`.
    pub async fn verify(&self, mail: &Received<'_>) -> Verdicts {
        let sender = mail.mail_from.unwrap_or_default();
        let parameters = match mail.mail_from {
            Some(from) => SpfParameters::verify_mail_from(mail.client_ip, mail.ehlo, mail.ehlo, from),
            None => SpfParameters::verify_ehlo(mail.client_ip, mail.ehlo, mail.ehlo),
        };
        let spf = self.authenticator.verify_spf(parameters).await;
        let Some(message) = AuthenticatedMessage::parse(mail.raw) else {
            return Verdicts { spf: spf_verdict(spf.result()), dkim: Verdict::None, dmarc: Verdict::None };
        };
        let dkim = self.authenticator.verify_dkim(&message).await;
        let domain = sender.rsplit_once('@').map_or(mail.ehlo, |(_, domain)| domain);
        let dmarc = self.authenticator.verify_dmarc(DmarcParameters::new(&message, &dkim, domain, &spf)).await;
        Verdicts {
            spf: spf_verdict(spf.result()),
            dkim: dkim_verdict(&dkim),
            dmarc: match dmarc.result() {
                DmarcResult::Pass => Verdict::Pass,
                DmarcResult::Fail(_) => Verdict::Fail,
                DmarcResult::TempError(_) => Verdict::TempError,
                DmarcResult::PermError(_) => Verdict::PermError,
                DmarcResult::None => Verdict::None,
            },
        }
    }
}

fn spf_verdict(result: SpfResult) -> Verdict {
    match result {
        SpfResult::Pass => Verdict::Pass,
        SpfResult::Fail => Verdict::Fail,
        SpfResult::SoftFail => Verdict::SoftFail,
        SpfResult::Neutral => Verdict::Neutral,
        SpfResult::TempError => Verdict::TempError,
        SpfResult::PermError => Verdict::PermError,
        SpfResult::None => Verdict::None,
    }
}

/// The best of the signatures: a pass, else what might become one, else the clearest refusal.
fn dkim_verdict(outputs: &[DkimOutput<'_>]) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Pass => 0,
        Verdict::TempError => 1,
        Verdict::Fail => 2,
        Verdict::Policy => 3,
        Verdict::PermError => 4,
        _ => 5,
    };
    outputs.iter().map(|output| signature_verdict(output.result())).min_by_key(rank).unwrap_or(Verdict::None)
}

fn signature_verdict(result: &DkimResult) -> Verdict {
    match result {
        DkimResult::Pass => Verdict::Pass,
        // mail-auth calls these neutral; RFC 8601 §2.7.1 calls a signature that fails its tests a fail, and one that
        // is refused for how it was made (`l=`) a matter of policy.
        DkimResult::Neutral(AuthError::Dkim(AuthDkimError::FailedBodyHashMatch | AuthDkimError::SignatureExpired)) => {
            Verdict::Fail
        }
        DkimResult::Neutral(AuthError::Dkim(AuthDkimError::SignatureLength)) => Verdict::Policy,
        DkimResult::Neutral(_) => Verdict::Neutral,
        DkimResult::Fail(_) => Verdict::Fail,
        DkimResult::PermError(_) => Verdict::PermError,
        DkimResult::TempError(_) => Verdict::TempError,
        DkimResult::None => Verdict::None,
    }
}
