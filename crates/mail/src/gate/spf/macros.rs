//! Macros in the names of an SPF record: `%{i}.%{d2}.example.com` (RFC 7208 §7).

use std::net::IpAddr;

use super::Question;

/// Octets that a name may have; a longer one loses labels on its left (§7.3).
const LONGEST_NAME: usize = 253;

/// Whether `text` is a well-formed name with macros.
pub fn check(text: &str) -> Result<(), String> {
    pieces(text).map(drop)
}

/// Fills in the macros of a name; `domain` is the one whose record is being read.
pub fn expand(text: &str, question: &Question<'_>, domain: &str) -> Result<String, String> {
    let mut name = String::new();
    for piece in pieces(text)? {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Macro { letter, keep, reverse, delimiters } => {
                let value = value(letter.to_ascii_lowercase(), question, domain);
                let value = transform(&value, keep, reverse, delimiters);
                match letter.is_ascii_uppercase() {
                    true => name.push_str(&url_escaped(&value)),
                    false => name.push_str(&value),
                }
            }
        }
    }
    while name.len() > LONGEST_NAME {
        let Some((_, rest)) = name.split_once('.') else { break };
        name = rest.to_owned();
    }
    Ok(name.trim_end_matches('.').to_ascii_lowercase())
}

enum Piece<'a> {
    Text(&'a str),
    Macro { letter: char, keep: Option<usize>, reverse: bool, delimiters: &'a str },
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        if at > 0 {
            pieces.push(Piece::Text(&rest[..at]));
        }
        let after = &rest[at + 1..];
        match after.chars().next() {
            Some('%') => pieces.push(Piece::Text("%")),
            Some('_') => pieces.push(Piece::Text(" ")),
            Some('-') => pieces.push(Piece::Text("%20")),
            Some('{') => {
                let end = after.find('}').ok_or_else(|| "a macro is not closed".to_owned())?;
                pieces.push(parsed(&after[1..end])?);
                rest = &after[end + 1..];
                continue;
            }
            _ => return Err("a % has to begin a macro".to_owned()),
        }
        rest = &after[1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

fn parsed(inner: &str) -> Result<Piece<'_>, String> {
    let wrong = || format!("%{{{inner}}} is no macro that may stand here");
    let letter = inner.chars().next().filter(|c| "slodipvh".contains(c.to_ascii_lowercase())).ok_or_else(wrong)?;
    let rest = &inner[1..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let keep = match &rest[..digits] {
        "" => None,
        text => Some(text.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?),
    };
    let rest = &rest[digits..];
    let (reverse, delimiters) = match rest.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    match delimiters.bytes().all(|b| b".-+,/_=".contains(&b)) {
        true => Ok(Piece::Macro { letter, keep, reverse, delimiters }),
        false => Err(wrong()),
    }
}

fn value(letter: char, question: &Question<'_>, domain: &str) -> String {
    match letter {
        's' => format!("{}@{}", question.local, question.domain),
        'l' => question.local.to_owned(),
        'o' => question.domain.to_owned(),
        'd' => domain.to_owned(),
        'i' => match question.ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => {
                let nibbles = ip.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 0xf]);
                nibbles.map(|nibble| format!("{nibble:x}")).collect::<Vec<_>>().join(".")
            }
        },
        'v' => if question.ip.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
        'h' => question.helo.to_owned(),
        // `p` is not to be used, and "unknown" is always a right answer (§7.3).
        _ => "unknown".to_owned(),
    }
}

fn transform(value: &str, keep: Option<usize>, reverse: bool, delimiters: &str) -> String {
    if keep.is_none() && !reverse && delimiters.is_empty() {
        return value.to_owned();
    }
    let delimiters = if delimiters.is_empty() { "." } else { delimiters };
    let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
    if reverse {
        parts.reverse();
    }
    let first = parts.len().saturating_sub(keep.unwrap_or(parts.len()));
    parts[first..].join(".")
}

fn url_escaped(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    value.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7208 §7.4.
    #[test]
    fn the_examples_of_the_rfc_hold() {
        let question = |ip: &str| Question {
            ip: ip.parse().unwrap(),
            local: "strong-bad",
            domain: "email.example.com",
            helo: "mail.example.com",
        };
        let four = question("192.0.2.3");
        let six = question("2001:db8::cb01");
        let of = |text: &str| expand(text, &four, "email.example.com").unwrap();
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
        assert_eq!(
            expand("%{ir}.%{v}._spf.%{d2}", &six, "email.example.com").unwrap(),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
        );
    }

    #[test]
    fn a_name_that_grew_too_long_loses_labels_on_its_left() {
        let question =
            Question { ip: "192.0.2.3".parse().unwrap(), local: "a", domain: "example.com", helo: "mail.example.com" };
        let long = format!("{}.end.test", vec!["x".repeat(60); 5].join("."));
        let name = expand(&long, &question, "example.com").unwrap();
        assert!(name.len() <= 253 && name.ends_with(".end.test"), "{name}");
    }
}
