//! Inlining CSS into a template before its data is there.
//!
//! An HTML parser would tear a template apart: it moves text that stands between table rows out of the table, and
//! `{{#if}}` is such text. So tags are put aside first, inlined around, and put back:
//! 1. a tag in running text becomes a comment, which a parser leaves where it is;
//! 2. a tag inside an element's angle brackets, in `<title>` or in a comment becomes a plain word;
//! 3. css-inline moves rules onto elements, and leaves `@media` rules (dark mode, phones) in the style sheet;
//! 4. the tags return.
//!
//! Nothing is fetched: css-inline is built without its network and file features.

use css_inline::{CSSInliner, InlineOptions};

/// Elements whose content is text even where it looks like markup.
const TEXT_ONLY: [&str; 3] = ["title", "style", "textarea"];

pub(super) fn inline(html: &str) -> Result<String, String> {
    let (html, tags) = put_aside(html)?;
    let options = InlineOptions {
        inline_style_tags: true,
        keep_style_tags: false,
        keep_link_tags: false,
        keep_at_rules: true,
        load_remote_stylesheets: false,
        ..InlineOptions::default()
    };
    let inlined = CSSInliner::new(options).inline(&html).map_err(|error| error.to_string())?;
    // A parser adds the <tbody> that was left out, after an {{#if}} before the first row, and the two no longer nest.
    if inlined.matches("<tbody").count() != html.matches("<tbody").count() {
        return Err("every table has to spell out its <tbody>".to_owned());
    }
    put_back(&inlined, &tags)
}

fn comment(index: usize) -> String {
    format!("<!--hbs:{index}-->")
}

fn word(index: usize) -> String {
    format!("hbs-{index}-hbs")
}

/// Replaces each `{{…}}` by a comment or a word and returns what was there, in order.
fn put_aside(html: &str) -> Result<(String, Vec<&str>), String> {
    let mut out = String::with_capacity(html.len());
    let mut tags = Vec::new();
    let mut place = Place::Text;
    let mut rest = html;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("{{") {
            let close = if rest.starts_with("{{!--") { "--}}" } else { "}}" };
            let end = rest.find(close).ok_or("a tag is not closed")? + close.len();
            let index = tags.len();
            out.push_str(&if place == Place::Text { comment(index) } else { word(index) });
            tags.push(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        place = place.after(rest);
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    Ok((out, tags))
}

/// Where in the document a character stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    /// Between `<` and `>`; in the content of the named element after that, if it is one of [`TEXT_ONLY`].
    Tag(Option<&'static str>),
    Comment,
    /// In the content of one of [`TEXT_ONLY`].
    Inside(&'static str),
}

impl Place {
    fn after(self, rest: &str) -> Self {
        match self {
            Place::Text if rest.starts_with("<!--") => Place::Comment,
            Place::Text if rest.starts_with('<') => Place::Tag(
                TEXT_ONLY
                    .into_iter()
                    .find(|name| rest[1..].strip_prefix(name).is_some_and(|after| after.starts_with(['>', ' ', '\n']))),
            ),
            Place::Tag(name) if rest.starts_with('>') => name.map_or(Place::Text, Place::Inside),
            Place::Comment if rest.starts_with("-->") => Place::Text,
            Place::Inside(name) if rest.strip_prefix("</").is_some_and(|after| after.starts_with(name)) => {
                Place::Tag(None)
            }
            same => same,
        }
    }
}

/// One pass over the document: each mark is the next one that is open, and each is there once.
fn put_back(html: &str, tags: &[&str]) -> Result<String, String> {
    let mut out = String::with_capacity(html.len() * 2);
    let mut seen = vec![false; tags.len()];
    let mut rest = html;
    while let Some(start) = rest.find("hbs") {
        let (before, mark) = rest.split_at(start);
        let found = [(&mark[3..].strip_prefix(':'), "-->"), (&mark[3..].strip_prefix('-'), "-hbs")]
            .into_iter()
            .find_map(|(after, end)| {
                let (index, rest) = after.as_ref()?.split_once(end)?;
                index.parse::<usize>().ok().filter(|index| *index < tags.len()).map(|index| (index, end, rest))
            });
        let Some((index, end, after)) = found else {
            out.push_str(before);
            out.push_str("hbs");
            rest = &mark[3..];
            continue;
        };
        let before = if end == "-->" { before.strip_suffix("<!--").unwrap_or(before) } else { before };
        out.push_str(before);
        if std::mem::replace(&mut seen[index], true) {
            return Err(format!("{} was doubled when the CSS was inlined", tags[index]));
        }
        out.push_str(tags[index]);
        rest = after;
    }
    out.push_str(rest);
    match seen.iter().position(|seen| !seen) {
        Some(lost) => Err(format!("{} was lost when the CSS was inlined", tags[lost])),
        None => Ok(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_stay_where_they_were_even_between_table_rows() {
        let html = "<html><head><title>{{subject}}</title><style>td{color:red}</style></head><body><table><tbody>{{#if a}}<tr>\
                    <td><a href=\"{{url}}\">{{label}}</a></td></tr>{{/if}}</tbody></table></body></html>";
        let inlined = inline(html).unwrap();
        assert!(inlined.contains("<title>{{subject}}</title>"), "{inlined}");
        assert!(inlined.contains("<a href=\"{{url}}\">{{label}}</a>"), "{inlined}");
        assert!(inlined.contains("{{#if a}}<tr>") && inlined.contains("</tr>{{/if}}"), "{inlined}");
        assert!(inlined.contains("color: red") || inlined.contains("color:red"), "{inlined}");
    }

    #[test]
    fn a_table_without_its_body_is_refused() {
        let html = "<html><head></head><body><table>{{#if a}}<tr><td>x</td></tr>{{/if}}</table></body></html>";
        assert!(inline(html).unwrap_err().contains("<tbody>"));
    }

    #[test]
    fn media_rules_stay_in_the_style_sheet() {
        let html = "<html><head><style>p{margin:0}@media (max-width:600px){p{margin:9px!important}}</style></head><body><p>x</p></body></html>";
        let inlined = inline(html).unwrap();
        assert!(inlined.contains("@media (max-width:600px)") && inlined.contains("style=\"margin"), "{inlined}");
    }
}
