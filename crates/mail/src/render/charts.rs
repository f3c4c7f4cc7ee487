//! Charts in a mail: drawn from the mail's own data, each time that it is rendered.
//!
//! A template whose data has a list `charts` shows a picture for each: `{"cid", "drawing", …}`, where `drawing` is what
//! [`chart::Chart`] reads, and all else is for the template. The picture travels inside the message as `cid:{cid}`.
//!
//! Nothing but the figures is kept in the store, a few hundred bytes a chart in place of a picture. Drawing is exact, so a
//! retry, on another machine or a day later, makes the same bytes, and what a report showed can be seen as long as its data
//! is kept.

use chart::{Chart, Size};
use serde::Deserialize;
use serde_json::Value;

use super::{RenderError, Renderer};
use crate::message::Attachment;

/// The field of the data.
const FIELD: &str = "charts";
/// The most that one mail shows.
const MOST: usize = 8;

/// A chart in the data, as far as it is drawn.
#[derive(Deserialize)]
struct Shown {
    cid: String,
    drawing: Chart,
}

impl Renderer {
    /// The charts of a mail that `template` is filled with `data` for: drawn, each under its content id. Most mails have
    /// none.
    ///
    /// # Errors
    /// [`RenderError::Fill`], naming the field that cannot be drawn.
    pub fn charts(&self, template: &str, data: &Value) -> Result<Vec<Attachment>, RenderError> {
        let drawn = read(data).and_then(|charts| charts.iter().map(draw).collect());
        drawn.map_err(|reason| RenderError::Fill { template: template.to_owned(), reason })
    }
}

/// Whether the charts of a mail's data can be drawn, without drawing them: the error names the field.
///
/// # Errors
/// What is wrong, in words.
pub fn check(data: &Value) -> Result<(), String> {
    read(data)?.iter().try_for_each(|shown| picture(shown, Vec::new()).map(drop))
}

fn read(data: &Value) -> Result<Vec<Shown>, String> {
    let Some(list) = data.get(FIELD) else { return Ok(Vec::new()) };
    let list = list.as_array().ok_or("charts: a list is expected")?;
    if list.len() > MOST {
        return Err(format!("charts: at most {MOST} are drawn in one mail"));
    }
    list.iter()
        .enumerate()
        .map(|(n, one)| Shown::deserialize(one).map_err(|error| format!("{FIELD}[{n}]: {error}")))
        .collect()
}

fn draw(shown: &Shown) -> Result<Attachment, String> {
    picture(shown, chart::png(&shown.drawing, Size::MAIL))
}

fn picture(shown: &Shown, bytes: Vec<u8>) -> Result<Attachment, String> {
    let name = shown.cid.split('@').next().unwrap_or_default();
    Attachment::inline(&shown.cid, &format!("{name}.png"), "image/png", bytes)
        .map_err(|error| format!("{FIELD}.cid {:?}: {error}", shown.cid))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn data(cid: &str, values: &Value) -> Value {
        let series = json!([{ "name": "Searches", "values": values }]);
        let drawing = json!({ "style": "lines", "format": "count", "labels": ["Mon", "Tue"], "series": series });
        json!({ "title": "x", "charts": [{ "cid": cid, "title": "Searches", "drawing": drawing }] })
    }

    #[test]
    fn a_mail_without_charts_has_no_pictures() {
        assert!(read(&json!({})).unwrap().is_empty());
        assert!(read(&json!({ "charts": [] })).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        assert_eq!(check(&data("searches@x", &json!([1, null]))), Ok(()));
        let said = |data: &Value| check(data).unwrap_err();
        assert!(said(&data("searches", &json!([1]))).starts_with("charts[0]: series[0].values: 1 values for 2 labels"));
        assert!(said(&data("a b", &json!([1, 2]))).starts_with("charts.cid \"a b\""));
        assert!(said(&json!({ "charts": {} })).starts_with("charts: a list"));
        assert!(said(&json!({ "charts": [{ "cid": "x" }] })).contains("missing field `drawing`"));
        let one = data("x", &json!([1, 2]))["charts"][0].clone();
        assert!(said(&json!({ "charts": vec![one; 9] })).contains("at most 8"));
    }
}
