//! Lists are read in pages, newest first. A cursor names the last row that was shown, so a page stays right while rows
//! are added in front of it.

use jiff::Timestamp;
use uuid::Uuid;

use crate::error::StoreError;

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows, newest first.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

/// A place in a list that is ordered by creation time and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) created_at: Timestamp,
    pub(crate) id: Uuid,
}

impl Cursor {
    /// The cursor as text that is safe in a URL: milliseconds, a dot, the id.
    pub(crate) fn text(&self) -> String {
        format!("{}.{}", self.created_at.as_millisecond(), self.id.simple())
    }

    /// Reads what [`Cursor::text`] wrote.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        let (ms, id) = text.split_once('.').ok_or(StoreError::BadCursor)?;
        let ms: i64 = ms.parse().map_err(|_| StoreError::BadCursor)?;
        Ok(Self {
            created_at: Timestamp::from_millisecond(ms).map_err(|_| StoreError::BadCursor)?,
            id: Uuid::try_parse(id).map_err(|_| StoreError::BadCursor)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_what_it_wrote() {
        let cursor =
            Cursor { created_at: Timestamp::from_millisecond(1_796_000_000_123).unwrap(), id: Uuid::from_u128(7) };
        assert_eq!(Cursor::parse(&cursor.text()).unwrap(), cursor);
    }

    #[test]
    fn anything_else_is_refused_as_a_bad_cursor() {
        for text in ["", ".", "1", "x.y", "1.zz", "99999999999999999.00000000000000000000000000000007"] {
            assert!(matches!(Cursor::parse(text), Err(StoreError::BadCursor)), "{text}");
        }
    }
}
