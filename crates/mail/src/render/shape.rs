//! The shape of data against that of the sample: an object or a list where a text is expected would reach a reader as
//! `[object]`.
//!
//! Only the kind is compared (text, number, truth and null are one), and only what the sample has: what is missing is found
//! by filling in, what is there beside it is not shown.

use serde_json::Value;

/// The first field whose data has another shape, as `recipient.name`, and what is expected there; `None`: all fit.
pub(super) fn misfit(sample: &Value, data: &Value) -> Option<(String, &'static str)> {
    let (path, expected) = differs(sample, data)?;
    let path = path.into_iter().rev().collect::<Vec<_>>().join(".").replace(".[", "[");
    Some((path, expected))
}

/// The path is collected from its end.
fn differs(sample: &Value, data: &Value) -> Option<(Vec<String>, &'static str)> {
    match (sample, data) {
        (Value::Object(sample), Value::Object(data)) => sample.iter().find_map(|(name, sample)| {
            let (mut path, expected) = differs(sample, data.get(name)?)?;
            path.push(name.clone());
            Some((path, expected))
        }),
        (Value::Array(sample), Value::Array(data)) => {
            let first = sample.first()?;
            data.iter().enumerate().find_map(|(index, data)| {
                let (mut path, expected) = differs(first, data)?;
                path.push(format!("[{index}]"));
                Some((path, expected))
            })
        }
        // Optional sections and lists may be left out.
        (Value::Object(_) | Value::Array(_), Value::Null) => None,
        (Value::Object(_), _) => Some((Vec::new(), "an object")),
        (Value::Array(_), _) => Some((Vec::new(), "a list")),
        (_, Value::Object(_) | Value::Array(_)) => Some((Vec::new(), "a text or a number")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_or_a_list_in_the_place_of_a_text_is_found_by_its_path() {
        let sample = json!({"recipient": {"name": "Zoë"}, "url": null, "rows": [{"n": 1}], "n": 2});
        let found = |data: Value| misfit(&sample, &data);
        assert_eq!(found(sample.clone()), None);
        assert_eq!(found(json!({"recipient": {"name": null, "more": []}, "url": "x", "rows": [], "n": "two"})), None);
        assert_eq!(found(json!({"rows": null, "recipient": null})), None, "left out");
        assert_eq!(
            found(json!({"recipient": {"name": {}}})),
            Some(("recipient.name".to_owned(), "a text or a number"))
        );
        assert_eq!(found(json!({"url": [1]})), Some(("url".to_owned(), "a text or a number")));
        assert_eq!(
            found(json!({"rows": [{"n": 1}, {"n": [2]}]})),
            Some(("rows[1].n".to_owned(), "a text or a number"))
        );
        assert_eq!(found(json!({"rows": {}})), Some(("rows".to_owned(), "a list")));
        assert_eq!(found(json!({"recipient": "Zoë"})), Some(("recipient".to_owned(), "an object")));
        assert_eq!(found(json!([1])), Some((String::new(), "an object")));
    }
}
