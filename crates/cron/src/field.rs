//! One field of an expression, looked at before the parser sees it: what is wrong is told with the field's own name, the
//! value and the range.

use crate::error::Field;

/// What is wrong with `text` as `field`; `None` if nothing that can be seen here.
pub(crate) fn complaint(field: Field, text: &str) -> Option<String> {
    if text.contains(',') && text.split(',').any(|part| matches!(part, "*" | "?")) {
        return Some(format!("`{}`: `*` says everything, nothing beside it counts: leave the rest out", shown(text)));
    }
    text.split(',').find_map(|part| part_complaint(field, part))
}

fn part_complaint(field: Field, part: &str) -> Option<String> {
    if part.is_empty() {
        return Some("has an empty part".to_owned());
    }
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    if let Some(step) = step {
        match step.parse::<u16>() {
            Ok(1..=59) => {}
            Ok(_) => return Some(format!("step {step} is out of 1–59")),
            Err(_) => return Some(format!("step `{step}` is not a number")),
        }
        // The parser takes no `5/10`; people who write it mean "from 5 on".
        if range != "*" && !range.contains('-') {
            let (first, last) = field.range();
            let from = if range.parse::<u16>().is_ok() { range.to_owned() } else { first.to_string() };
            let part = shown(part);
            return Some(format!("`{part}`: a step needs a range, such as `{from}-{last}/{step}`"));
        }
    }
    if range == "*" || (range == "?" && matches!(field, Field::DayOfMonth | Field::DayOfWeek)) {
        return None;
    }
    match range.split_once('-') {
        Some((from, to)) if [from, to].iter().any(|end| is_special(field, end)) => {
            Some(format!("`{}`: a range is of plain days: L, W and # stand alone", shown(part)))
        }
        Some((from, to)) => match (value(field, from), value(field, to)) {
            (Err(why), _) | (_, Err(why)) => Some(why),
            (Ok(from_value), Ok(to_value)) if from_value > to_value => {
                Some(format!("range {from}-{to} runs backwards: write it as two"))
            }
            _ => None,
        },
        None => value(field, range).err(),
    }
}

/// Whether it is a day that is found by counting: the last, the nearest weekday, the second Monday.
fn is_special(field: Field, text: &str) -> bool {
    match field {
        Field::DayOfMonth | Field::DayOfWeek => text.contains(['L', 'l', '#']) || text.ends_with(['W', 'w']),
        _ => false,
    }
}

/// So much of it as is shown.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// The number that `text` stands for.
fn value(field: Field, text: &str) -> Result<u8, String> {
    let (first, last) = field.range();
    let bare = match field {
        Field::DayOfMonth => match text.strip_suffix(['W', 'w']).unwrap_or(text) {
            "L" | "l" => return Ok(last),
            bare => bare,
        },
        Field::DayOfWeek => match text.split_once('#') {
            Some((day, "1" | "2" | "3" | "4" | "5" | "L" | "l")) => day,
            Some((_, nth)) => return Err(format!("`{text}`: #{nth} is out of 1–5")),
            None => text.strip_suffix(['L', 'l']).filter(|day| !day.is_empty()).unwrap_or(text),
        },
        _ => text,
    };
    if let Some(n) = field.names().iter().position(|name| name.eq_ignore_ascii_case(bare)) {
        return Ok(first + n as u8);
    }
    match bare.parse::<u32>() {
        Ok(n) if (u32::from(first)..=u32::from(last)).contains(&n) => Ok(n as u8),
        Ok(n) => Err(format!("{n} is out of {first}–{last}")),
        Err(_) => {
            let names = match field.names() {
                [] => String::new(),
                names => format!(" or {}–{}", names[0], names[names.len() - 1]),
            };
            let text: String = text.chars().take(40).collect();
            Err(format!("`{text}` does not read: {first}–{last}{names}, lists, ranges and steps are expected"))
        }
    }
}
