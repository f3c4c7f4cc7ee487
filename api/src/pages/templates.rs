//! The page of templates: their names at the left, one of them at the right, filled with its sample.

use std::fmt::Write;

use mail::{Locale, Rendered, Renderer};

use super::template::{escape, fill};

const FRAME: &str = include_str!("templates.html");

/// How wide the preview is shown, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// The HTML part, as wide as the page.
    #[default]
    Html,
    /// The HTML part, as wide as a phone.
    Phone,
    /// The text part.
    Text,
    /// The data that it is filled with.
    Data,
}

impl View {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Html, "html", "HTML"),
        (Self::Phone, "phone", "Phone"),
        (Self::Text, "text", "Text"),
        (Self::Data, "data", "Sample"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(view, ..)| *view == self).map_or("html", |(_, word, _)| word)
    }
}

/// The text names no view.
#[derive(Debug, thiserror::Error)]
#[error("html, phone, text or data is expected")]
pub struct NoView;

impl std::str::FromStr for View {
    type Err = NoView;

    fn from_str(word: &str) -> Result<Self, NoView> {
        Self::ALL.iter().find(|(_, known, _)| *known == word).map(|(view, ..)| *view).ok_or(NoView)
    }
}

/// A template to show: its name, the language that it is there in, and what it says.
pub struct Shown<'a> {
    /// The template.
    pub name: &'a str,
    /// The language.
    pub locale: Locale,
    /// The sample, filled in.
    pub content: Rendered,
}

/// The page. `wanted` says that a template was asked for; without that a narrow window shows the list.
pub fn page(renderer: &Renderer, shown: &Shown<'_>, wanted: bool, view: View) -> String {
    let names = renderer.names();
    let count = format!("{} templates", names.len());
    let title = format!("{} – Templates", escape(&spaced(shown.name)));
    let (list, message) = (items(&names, shown, view), message(renderer, shown, view));
    let slots = [
        ("title", title.as_str()),
        ("class", if wanted { "open" } else { "" }),
        ("count", &count),
        ("list", &list),
        ("message", &message),
    ];
    fill(FRAME, &slots)
}

fn items(names: &[&str], shown: &Shown<'_>, view: View) -> String {
    let mut out = String::from(r#"<ol class="names">"#);
    for name in names {
        let current = if *name == shown.name { r#" aria-current="true""# } else { "" };
        let href = link(name, &shown.locale, view);
        push(
            &mut out,
            format_args!(r#"<li><a class="item" href="{href}"{current}>{}</a></li>"#, escape(&spaced(name))),
        );
    }
    out.push_str("</ol>");
    out
}

fn message(renderer: &Renderer, shown: &Shown<'_>, view: View) -> String {
    let mut tabs = String::new();
    for (tab, _, label) in View::ALL {
        let current = if tab == view { r#" aria-current="page""# } else { "" };
        push(&mut tabs, format_args!(r#"<a href="{}"{current}>{label}</a>"#, link(shown.name, &shown.locale, tab)));
    }
    let mut languages = String::new();
    for tag in renderer.locales(shown.name) {
        let locale = Locale::or_english(Some(tag));
        let current = if locale == shown.locale { r#" aria-current="true""# } else { "" };
        push(
            &mut languages,
            format_args!(r#"<a class="language" href="{}"{current}>{tag}</a> "#, link(shown.name, &locale, view)),
        );
    }
    let name = escape(shown.name);
    let body = match view {
        View::Html | View::Phone => {
            let class = if view == View::Phone { r#" class="phone""# } else { "" };
            format!(
                r#"<iframe sandbox{class} src="/mailbox/templates/{name}/html?locale={}" title="The template's HTML" referrerpolicy="no-referrer"></iframe>"#,
                shown.locale
            )
        }
        View::Text => format!("<pre>\n{}</pre>", escape(&shown.content.text)),
        View::Data => {
            let sample = renderer.sample(shown.name, &shown.locale);
            let json = sample.and_then(|data| serde_json::to_string_pretty(data).ok()).unwrap_or_default();
            format!("<pre>\n{}</pre>", escape(&json))
        }
    };
    format!(
        r#"<div class="head"><a class="back" href="/mailbox/templates">← All templates</a><h1>{subject}</h1><dl class="facts"><dt>Template</dt><dd><code>{name}</code></dd><dt>Language</dt><dd>{languages}</dd></dl><nav class="tabs" aria-label="Ways to look at this template">{tabs}</nav></div><div class="body">{body}</div>"#,
        subject = escape(&shown.content.subject),
    )
}

/// `booking_confirmed_student` as people read it.
fn spaced(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    words
}

fn link(name: &str, locale: &Locale, view: View) -> String {
    let mut link = format!("/mailbox/templates?template={}", escape(name));
    if locale.as_str() != "en" {
        push(&mut link, format_args!("&amp;locale={locale}"));
    }
    if view != View::default() {
        push(&mut link, format_args!("&amp;view={}", view.word()));
    }
    link
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing into a string cannot fail");
}
