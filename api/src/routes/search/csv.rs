//! Tables as CSV (RFC 4180): a header line, a row a line, CRLF at each end.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::query::Params;

/// Whether the caller wants CSV: by `format=csv`, or by `Accept: text/csv`.
pub fn is_wanted(params: &mut Params, headers: &HeaderMap) -> Result<bool, ApiError> {
    match params.text("format")?.as_deref() {
        None => {
            let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("");
            Ok(accept.split(',').any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "text/csv")))
        }
        Some("csv") => Ok(true),
        Some("json") => Ok(false),
        Some(_) => Err(ApiError::invalid("format", "json or csv is expected")),
    }
}

/// A table that is being written.
pub struct Csv(String);

impl Csv {
    /// A table with these columns.
    pub fn new(columns: &[&str]) -> Self {
        Self(format!("{}\r\n", columns.join(",")))
    }

    /// One more row.
    pub fn row(&mut self, cells: &[Cell<'_>]) {
        for (n, cell) in cells.iter().enumerate() {
            if n > 0 {
                self.0.push(',');
            }
            match cell {
                Cell::Text(text) => quoted(&mut self.0, text),
                Cell::Count(count) => self.0.push_str(&count.to_string()),
                Cell::Number(Some(number)) => self.0.push_str(&number.to_string()),
                Cell::Number(None) => {}
            }
        }
        self.0.push_str("\r\n");
    }

    /// The table as an answer; `name` is what it is saved as.
    pub fn answer(self, name: &'static str) -> Response {
        let mut response = self.0.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
        response
    }
}

/// What stands in a cell. An absent number is an empty cell, never 0.
pub enum Cell<'a> {
    /// A text.
    Text(&'a str),
    /// A count.
    Count(u64),
    /// A number, if there is one.
    Number(Option<f64>),
}

/// A text in quotes where it needs them. One that a spreadsheet would take for a formula gets an apostrophe in front: what
/// people typed must not be executed by who opens the table.
fn quoted(out: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !text.contains([',', '"', '\r', '\n', '\'']) {
        out.push_str(text);
        return;
    }
    out.push('"');
    if formula {
        out.push('\'');
    }
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_and_no_formula_is_left() {
        let mut csv = Csv::new(&["query", "searches", "rate"]);
        csv.row(&[Cell::Text("piano, \"grand\""), Cell::Count(3), Cell::Number(None)]);
        csv.row(&[Cell::Text("=1+cmd|'x'"), Cell::Count(1), Cell::Number(Some(0.5))]);
        assert_eq!(csv.0, "query,searches,rate\r\n\"piano, \"\"grand\"\"\",3,\r\n\"'=1+cmd|'x'\",1,0.5\r\n");
    }
}
