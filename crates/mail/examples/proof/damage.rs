//! What a receiver has to refuse: a good mail, changed on its way.

use mail::zone::DEV_DOMAIN;
use mail::{DkimKey, DkimSigner};

use super::{Outcome, SELECTOR};

/// Damaged copies of a signed mail, each with what was done to it.
pub fn all(signed: &[u8]) -> Outcome<Vec<(&'static str, Vec<u8>)>> {
    let text = String::from_utf8(signed.to_vec())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("a mail has a body")?;
    let unsigned = unsigned(&text)?;
    let forged = DkimSigner::new(&DkimKey::generate()?, DEV_DOMAIN, SELECTOR)?;
    let date = "2026-11-23T08:00:00Z".parse()?;
    let damaged = [
        ("a word of the text is another one", format!("{head}\r\n\r\n{}", body.replacen("confirmed", "cancelled", 1))),
        ("a line is added at the end", format!("{text}Transfer the money here.\r\n")),
        ("the subject is another one", text.replacen("\r\nSubject: ", "\r\nSubject: Re: ", 1)),
        ("a second From stands above", format!("From: ceo@{DEV_DOMAIN}\r\n{text}")),
        ("a Reply-To is added", text.replacen("\r\nTo: ", "\r\nReply-To: thief@example.com\r\nTo: ", 1)),
        ("the recipient is another one", text.replacen("<zoe@example.com>", "<bob@example.com>", 1)),
        ("the signature is missing", unsigned.clone()),
        ("another key signed", String::from_utf8(forged.sign(unsigned.as_bytes(), date)?)?),
    ];
    for (how, message) in &damaged {
        if *message == text {
            return Err(format!("nothing was changed: {how}").into());
        }
    }
    Ok(damaged.into_iter().map(|(how, message)| (how, message.into_bytes())).collect())
}

/// The mail without its first field, the signature.
fn unsigned(text: &str) -> Outcome<String> {
    let mut lines = text.split_inclusive("\r\n").skip_while(|line| !line.starts_with("DKIM-Signature:"));
    lines.next().ok_or("the mail is not signed")?;
    Ok(lines.skip_while(|line| line.starts_with([' ', '\t'])).collect())
}
