//! Keys and signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::zone::DEV_DOMAIN;
use mail::{DkimError, DkimKey, DkimSigner};
use secrecy::ExposeSecret as _;

use crate::lab;

fn header(signed: &[u8]) -> String {
    let text = String::from_utf8(signed.to_vec()).unwrap();
    text.split("\r\nDate:").next().unwrap().replace("\r\n\t", " ")
}

#[test]
fn a_key_is_kept_as_pem_and_is_the_same_key_afterwards() {
    let pem = lab::key().to_pem();
    let again = DkimKey::from_pem(pem.expose_secret()).unwrap();
    assert_eq!(again.public_txt(), lab::key().public_txt());
    assert_eq!(again.to_pem().expose_secret(), pem.expose_secret());
    assert!(pem.expose_secret().lines().all(|line| line.len() <= 64));
    assert_eq!(format!("{again:?}"), "DkimKey(rsa)", "nothing of the key is shown");
}

#[test]
fn the_public_record_has_a_2048_bit_key() {
    let txt = lab::key().public_txt();
    let key = txt.strip_prefix("v=DKIM1; k=rsa; p=").unwrap();
    assert_eq!(key.len(), 392, "294 octets of SubjectPublicKeyInfo in base64");
}

#[test]
fn a_key_in_the_older_format_is_read_too() {
    let pem = lab::key().to_pem();
    let body: String = pem.expose_secret().lines().filter(|line| !line.starts_with('-')).collect();
    // PKCS#8 is 26 octets that say "an RSA key", and the key of PKCS#1 (RFC 5958 §2).
    let older = STANDARD.encode(&STANDARD.decode(body).unwrap()[26..]);
    let older = format!("-----BEGIN RSA PRIVATE KEY-----\n{older}\n-----END RSA PRIVATE KEY-----\n");
    let key = DkimKey::from_pem(&older).unwrap();
    assert_eq!(key.public_txt(), lab::key().public_txt());
    assert_eq!(key.to_pem().expose_secret(), pem.expose_secret());
}

#[test]
fn what_is_no_key_is_refused() {
    for text in ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        assert!(matches!(DkimKey::from_pem(text), Err(DkimError::Key(_))), "{text}");
    }
}

#[test]
fn the_same_message_at_the_same_time_gets_the_same_signature() {
    assert_eq!(lab::signed(), lab::signed());
}

#[test]
fn headers_are_oversigned_and_the_body_length_is_not_limited() {
    let header = header(&lab::signed());
    let tag =
        |name: &str| header.split(';').find_map(|tag| tag.trim().strip_prefix(&format!("{name}=")).map(str::to_owned));
    assert_eq!(tag("c").as_deref(), Some("relaxed/relaxed"));
    assert_eq!(tag("l"), None);
    assert_eq!(tag("t"), Some(lab::start().as_second().to_string()));
    assert!(header.contains("a=rsa-sha256") && header.contains("d=postrider.test"));
    let names = header.split_once("h=").unwrap().1.split(';').next().unwrap().to_ascii_lowercase();
    let count = |name: &str| names.split(':').filter(|listed| listed.trim() == name).count();
    for name in ["from", "to", "subject", "date", "message-id", "mime-version", "content-type", "auto-submitted"] {
        assert_eq!(count(name), 2, "{name} in {names}: once for itself and once against a second one");
    }
    assert!(count("reply-to") >= 1 && count("cc") >= 1, "absent headers are signed as absent");
}

#[test]
fn a_domain_or_selector_that_is_no_name_is_refused() {
    for (domain, selector) in
        [("a;b.test", "dev"), ("postrider.test", "d v"), ("", "dev"), ("postrider..test", "dev"), ("a.test\r\n", "dev")]
    {
        assert!(
            matches!(DkimSigner::new(lab::key(), domain, selector), Err(DkimError::Name(_))),
            "{domain} {selector}"
        );
    }
}

#[test]
fn a_message_without_headers_is_not_signed() {
    let signer = DkimSigner::new(lab::key(), DEV_DOMAIN, "dev").unwrap();
    for message in [&b""[..], b"\r\nbody\r\n"] {
        assert!(matches!(signer.sign(message, lab::start()), Err(DkimError::NoHeaders)));
    }
}
