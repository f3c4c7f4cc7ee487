//! The page behind a mail's unsubscribe link. It needs no script, and looks right on a phone.

use super::template::{escape, fill};

const PAGE: &str = include_str!("unsubscribe.html");

/// What the page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown<'a> {
    /// The question, with the masked address.
    Ask(&'a str),
    /// It is done, and can be taken back.
    Done(&'a str),
    /// It was taken back.
    Undone(&'a str),
    /// The link does nothing any more.
    Invalid,
    /// Something that is needed is away.
    Away,
}

/// The page as HTML.
#[must_use]
pub fn page(shown: Shown<'_>) -> String {
    let button = |action: &str, class: &str, text: &str| {
        format!(
            "<form method=\"post\"><input type=\"hidden\" name=\"action\" value=\"{action}\">\
             <button class=\"{class}\">{text}</button></form>"
        )
    };
    let (title, body) = match shown {
        Shown::Ask(who) => (
            "Stop these reports?",
            format!(
                "<p>Reports will no longer be sent to <strong>{}</strong>.</p>{}\
                 <p class=\"quiet\">Mail about your bookings and your account still reaches you.</p>",
                escape(who),
                button("unsubscribe", "", "Unsubscribe")
            ),
        ),
        Shown::Done(who) => (
            "You are unsubscribed",
            format!(
                "<p>No more reports will be sent to <strong>{}</strong>.</p>{}\
                 <p class=\"quiet\">Mail about your bookings and your account still reaches you.</p>",
                escape(who),
                button("undo", "second", "That was a mistake: keep sending them")
            ),
        ),
        Shown::Undone(who) => (
            "You will get reports again",
            format!("<p class=\"quiet\">They will be sent to <strong>{}</strong> as before.</p>", escape(who)),
        ),
        Shown::Invalid => (
            "This link does not work",
            "<p>It is incomplete, or too old.</p><p class=\"quiet\">The newest report has a link that works.</p>"
                .to_owned(),
        ),
        Shown::Away => (
            "Please try again in a moment",
            "<p class=\"quiet\">Nothing was changed: something that we need is away just now.</p>".to_owned(),
        ),
    };
    fill(PAGE, &[("title", title), ("body", &body)])
}
