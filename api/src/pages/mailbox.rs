//! The mailbox page: the caught mails at the left, one of them at the right. See `mailbox.html` for its frame.

use std::fmt::Write;
use std::str::FromStr;
use std::sync::Arc;

use mail::{CaughtMail, Verdict};

use super::template::{escape, fill};

/// The page's style sheet.
pub const CSS: &str = include_str!("mailbox.css");
/// The page's script.
pub const JS: &str = include_str!("mailbox.js");
/// The page's icon.
pub const ICON: &str = include_str!("icon.svg");

const FRAME: &str = include_str!("mailbox.html");
/// The most of a message that is shown as source, in bytes; all of it is a link away.
const SOURCE_SHOWN: usize = 256 << 10;

/// How the open mail is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// Its HTML part.
    #[default]
    Html,
    /// Its text part.
    Text,
    /// As it was received.
    Source,
    /// What the checks found.
    Verdicts,
}

impl View {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Html, "html", "HTML"),
        (Self::Text, "text", "Text"),
        (Self::Source, "source", "Source"),
        (Self::Verdicts, "verdicts", "Verdicts"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(view, ..)| *view == self).map_or("html", |(_, word, _)| word)
    }
}

/// The text names no view.
#[derive(Debug, thiserror::Error)]
#[error("html, text, source or verdicts is expected")]
pub struct NoView;

impl FromStr for View {
    type Err = NoView;

    fn from_str(word: &str) -> Result<Self, NoView> {
        Self::ALL.iter().find(|(_, known, _)| *known == word).map(|(view, ..)| *view).ok_or(NoView)
    }
}

/// The page. `wanted` says that a mail was asked for; without it the newest is shown beside the list.
pub fn page(list: &[Arc<CaughtMail>], open: Option<&Arc<CaughtMail>>, wanted: bool, view: View, host: &str) -> String {
    let shown = if wanted { open } else { list.first() };
    let class = match (list.is_empty(), wanted) {
        (true, _) => "vacant",
        (_, true) => "open",
        _ => "",
    };
    let count = match list.len() {
        0 => "no mails yet".to_owned(),
        1 => "1 mail".to_owned(),
        n => format!("{n} mails"),
    };
    let title = match shown {
        Some(mail) if wanted => format!("{} – Mailbox", escape(&mail.subject)),
        _ => "Mailbox – Postrider".to_owned(),
    };
    let message = match (shown, list.is_empty()) {
        (Some(mail), _) => message(mail, view),
        (None, true) => empty(host),
        (None, false) => gone(),
    };
    let mails = list.len().to_string();
    let list = items(list, shown, view);
    let slots = [
        ("title", title.as_str()),
        ("class", class),
        ("count", &count),
        ("mails", &mails),
        ("list", &list),
        ("message", &message),
    ];
    fill(FRAME, &slots)
}

fn items(list: &[Arc<CaughtMail>], shown: Option<&Arc<CaughtMail>>, view: View) -> String {
    if list.is_empty() {
        return r#"<p class="nothing">Mails appear here the moment they are sent.</p>"#.to_owned();
    }
    let mut out = String::from("<ol>");
    for mail in list {
        let current = if shown.is_some_and(|m| m.id == mail.id) { r#" aria-current="true""# } else { "" };
        push(
            &mut out,
            format_args!(
                r#"<li><a class="item" href="{href}"{current}><span class="top"><span class="from">{from}</span>{time}</span><span class="subject">{subject}</span><span class="to">to {to}</span>{badges}</a></li>"#,
                href = link(&mail.id, view),
                from = escape(&mail.from.to_string()),
                time = time(mail, false),
                subject = subject(mail),
                to = escape(&mail.to.to_string()),
                badges = badges(mail),
            ),
        );
    }
    out.push_str("</ol>");
    out
}

fn message(mail: &CaughtMail, view: View) -> String {
    let mut tabs = String::new();
    for (tab, _, label) in View::ALL {
        let current = if tab == view { r#" aria-current="page""# } else { "" };
        push(&mut tabs, format_args!(r#"<a href="{}"{current}>{label}</a>"#, link(&mail.id, tab)));
    }
    let body = match view {
        View::Html => html(mail),
        View::Text => text(mail),
        View::Source => source(mail),
        View::Verdicts => verdicts(mail),
    };
    format!(
        r#"<div class="head"><a class="back" href="/mailbox">← All mails</a><h1>{subject}</h1><dl class="facts"><dt>From</dt><dd>{from}</dd><dt>To</dt><dd>{to}</dd><dt>Received</dt><dd>{time}</dd></dl>{badges}<nav class="tabs" aria-label="Ways to look at this message">{tabs}</nav></div><div class="body">{body}</div>"#,
        subject = subject(mail),
        from = escape(&mail.from.to_string()),
        to = escape(&mail.to.to_string()),
        time = time(mail, true),
        badges = badges(mail),
    )
}

fn html(mail: &CaughtMail) -> String {
    if mail.html().is_none() {
        return r#"<p class="note">This mail has no HTML part.</p>"#.to_owned();
    }
    format!(
        r#"<iframe sandbox src="/mailbox/messages/{}/html" title="The message's HTML" referrerpolicy="no-referrer"></iframe>"#,
        escape(&mail.id.to_string())
    )
}

fn text(mail: &CaughtMail) -> String {
    match mail.text() {
        Some(text) => format!("<pre>\n{}</pre>", escape(&text)),
        None => r#"<p class="note">This mail has no text part.</p>"#.to_owned(),
    }
}

fn source(mail: &CaughtMail) -> String {
    let raw: &[u8] = mail.raw.as_ref();
    let shown = String::from_utf8_lossy(&raw[..raw.len().min(SOURCE_SHOWN)]).replace("\r\n", "\n");
    let cut = if raw.len() > SOURCE_SHOWN { ", of which the beginning is shown" } else { "" };
    format!(
        r#"<p class="note">{} bytes{cut}. <a href="/mailbox/messages/{}/raw" download="message.eml">Download</a></p><pre class="source" tabindex="0">
{}</pre>"#,
        raw.len(),
        escape(&mail.id.to_string()),
        escape(&shown)
    )
}

fn verdicts(mail: &CaughtMail) -> String {
    let mut out = String::from(r#"<ul class="verdicts">"#);
    for (name, verdict, question) in [
        ("SPF", mail.spf, "Does the domain of the envelope sender let the sending host send for it? (RFC 7208)"),
        ("DKIM", mail.dkim, "Is there a signature that fits the message and the key in DNS? (RFC 6376)"),
        ("DMARC", mail.dmarc, "Does one of the two pass for the domain that people see in From? (RFC 9989)"),
    ] {
        push(
            &mut out,
            format_args!(
                r#"<li><h2>{name} <span class="badge {class}">{verdict}</span></h2><p>{question}</p><p>{meaning}</p></li>"#,
                class = class(verdict),
                meaning = meaning(verdict),
            ),
        );
    }
    out.push_str("</ul>");
    let sender = mail.mail_from.as_ref().map_or_else(|| "&lt;&gt;".to_owned(), |from| escape(&from.to_string()));
    let recipients: Vec<String> = mail.rcpt_to.iter().map(|to| escape(&to.to_string())).collect();
    push(
        &mut out,
        format_args!(
            r#"<dl class="facts"><dt>MAIL FROM</dt><dd>{sender}</dd><dt>RCPT TO</dt><dd>{}</dd></dl><p class="note">Checked with real DNS queries against <a href="/mailbox/zone">the development zone</a>.</p>"#,
            recipients.join(", ")
        ),
    );
    out
}

fn empty(host: &str) -> String {
    let host = escape(host);
    format!(
        r#"<section class="empty"><h1>No mail yet</h1><p>Tell Postrider that a booking was confirmed. Student and instructor each get a mail, signed and checked, and it is here within a second.</p><div class="copyable"><pre id="first-command">curl -s -H 'Authorization: Bearer dev' -H 'Content-Type: application/json' \
  -d @examples/booking-confirmed.json \
  {host}/v1/bookings/bk_1001/events</pre><button class="copy" type="button">Copy</button></div><p>Run it again: nobody gets a second mail. Then look at <a href="/docs/">the API</a>, or at what became of each mail:</p><div class="copyable"><pre>curl -s -H 'Authorization: Bearer dev' {host}/v1/deliveries</pre></div></section>"#
    )
}

fn gone() -> String {
    r#"<section class="empty"><h1>This mail is gone</h1><p>The mailbox lives in memory: a restart empties it. <a href="/mailbox">All mails</a></p></section>"#.to_owned()
}

fn badges(mail: &CaughtMail) -> String {
    let mut out = String::from(r#"<span class="badges">"#);
    for (name, verdict) in [("SPF", mail.spf), ("DKIM", mail.dkim), ("DMARC", mail.dmarc)] {
        push(&mut out, format_args!(r#"<span class="badge {}">{name} <b>{verdict}</b></span>"#, class(verdict)));
    }
    out.push_str("</span>");
    out
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::Fail | Verdict::PermError => "bad",
        Verdict::SoftFail | Verdict::TempError | Verdict::Policy => "doubt",
        Verdict::Neutral | Verdict::None => "plain",
    }
}

fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Yes.",
        Verdict::Fail => "No. A receiver may refuse the mail or put it aside.",
        Verdict::SoftFail => "Probably not, says the domain. A receiver may put the mail aside.",
        Verdict::Neutral => "The domain does not say.",
        Verdict::None => "There is nothing to check against: no record, or no signature.",
        Verdict::TempError => "It could not be found out: DNS did not answer.",
        Verdict::PermError => "It cannot be found out: a record or a signature is broken.",
        Verdict::Policy => "The receiver does not accept it as it stands, such as a key that is too short.",
    }
}

fn subject(mail: &CaughtMail) -> String {
    if mail.subject.trim().is_empty() { "(no subject)".to_owned() } else { escape(&mail.subject) }
}

fn time(mail: &CaughtMail, long: bool) -> String {
    let at = mail.received_at;
    let (shown, long) = if long {
        (at.strftime("%A, %-d %B %Y, %H:%M:%S UTC"), " data-long")
    } else {
        (at.strftime("%H:%M:%S UTC"), "")
    };
    format!(r#"<time datetime="{at}"{long}>{shown}</time>"#)
}

fn link(id: &impl ToString, view: View) -> String {
    let id = escape(&id.to_string());
    if view == View::default() {
        format!("/mailbox?message={id}")
    } else {
        format!("/mailbox?message={id}&amp;view={}", view.word())
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing into a string cannot fail");
}
