//! What people typed, without what may say who somebody is: addresses, and digits that may be somebody's number.
//!
//! It is what is counted of everybody, and all that is kept of who did not consent: counts stay when a person is erased.

use std::borrow::Cow;

/// Digits in a row that may be somebody's number.
const TOGETHER: usize = 6;
/// The same where there are spaces between them: a grade and a year are not.
const APART: usize = 7;
/// What stands for what was taken out.
const MASK: char = '•';

/// The query, masked: words with an `@` and what is written beside it, and numbers of 6 digits (7, if there are spaces in
/// them), also with the signs that people write telephone numbers with. Digits are those of any script.
#[must_use]
pub fn masked(query: &str) -> Cow<'_, str> {
    let has_at = query.contains(is_at);
    let has_number = query.chars().filter(|c| c.is_numeric()).count() >= TOGETHER;
    match (has_at, has_number) {
        (false, false) => Cow::Borrowed(query),
        (true, false) => Cow::Owned(without_addresses(query)),
        (false, true) => Cow::Owned(without_numbers(query)),
        (true, true) => Cow::Owned(without_numbers(&without_addresses(query))),
    }
}

/// As typed, full-width and small.
fn is_at(c: char) -> bool {
    matches!(c, '@' | '\u{FF20}' | '\u{FE6B}')
}

fn without_addresses(query: &str) -> String {
    let words: Vec<&str> = query.split(' ').collect();
    let goes = |n: usize| {
        let ends = n.checked_sub(1).is_some_and(|n| words[n].ends_with(is_at));
        let begins = words.get(n + 1).is_some_and(|word| word.starts_with(is_at));
        words[n].contains(is_at) || ends || begins
    };
    let mut out = String::with_capacity(query.len());
    for (n, word) in words.iter().enumerate() {
        match (goes(n), n > 0 && goes(n - 1)) {
            (true, true) => continue,
            (true, false) => push(&mut out, n, &MASK.to_string()),
            (false, _) => push(&mut out, n, word),
        }
    }
    out
}

fn push(out: &mut String, n: usize, word: &str) {
    if n > 0 {
        out.push(' ');
    }
    out.push_str(word);
}

/// What a number is written with, besides its digits.
fn is_sign(c: char) -> bool {
    matches!(c, ' ' | '+' | '-' | '/' | '.' | '(' | ')' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn without_numbers(query: &str) -> String {
    let part = |c: char| c.is_numeric() || is_sign(c);
    let (mut out, mut rest) = (String::with_capacity(query.len()), query);
    while let Some(start) = rest.find(part) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !part(c)).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        out.push_str(before);
        // Spaces beside the number are not its own.
        let number = run.trim_matches(' ');
        let (lead, trail) = (run.len() - run.trim_start_matches(' ').len(), run.trim_end_matches(' ').len());
        out.push_str(&run[..lead.min(run.len())]);
        if !number.is_empty() {
            mask_number(&mut out, number);
            out.push_str(&run[trail..]);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A run of digits and signs that begins and ends without a space.
fn mask_number(out: &mut String, run: &str) {
    let digits = |text: &str| text.chars().filter(|c| c.is_numeric()).count();
    if digits(run) >= APART {
        out.push(MASK);
        return;
    }
    for (n, word) in run.split(' ').enumerate() {
        if digits(word) >= TOGETHER {
            push(out, n, &MASK.to_string());
        } else {
            push(out, n, word);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_name_somebody_is_taken_out() {
        for (typed, counted) in [
            ("piano with ana@example.com", "piano with •"),
            ("ana @ example.com piano", "• piano"),
            ("lessons ana ＠example", "lessons •"),
            ("call +49-170/1234567 now", "call • now"),
            ("call +49 170 1234567 now", "call • now"),
            ("4111 1111 1111 1111", "•"),
            ("(030) 123 45 67", "•"),
            ("tel ٠١٧٠١٢٣٤٥٦٧", "tel •"),
            ("１２３４５６", "•"),
            ("nr. 123456", "nr. •"),
        ] {
            assert_eq!(masked(typed), counted, "{typed}");
        }
    }

    #[test]
    fn what_names_nobody_stays() {
        for query in ["", "piano", "maths grade 10 2026", "a-level c++ (2)", "12 34 5", "9 - 10.30", "  two  spaces "] {
            assert_eq!(masked(query), query);
        }
    }

    proptest! {
        #[test]
        fn no_number_and_no_address_is_left_and_twice_is_once(query in "[a-z0-9@ .+-]{0,40}") {
            let once = masked(&query).into_owned();
            prop_assert!(!once.contains('@'), "{query:?} → {once:?}");
            let run = once.split(|c: char| !c.is_numeric() && !is_sign(c)).map(|run| run.chars().filter(|c| c.is_numeric()).count()).max();
            prop_assert!(run.unwrap_or(0) < APART, "{query:?} → {once:?}");
            prop_assert_eq!(masked(&once), once.as_str());
        }
    }
}
