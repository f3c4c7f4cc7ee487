//! The shape of every list: `{"items":[…],"next_cursor":null}`.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// A page of a list. Ask again with `cursor` set to `next_cursor` until it is null. A page may be short, even empty,
/// although more follows.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T: ToSchema> {
    /// What was found.
    pub items: Vec<T>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

impl<T: ToSchema> List<T> {
    /// A page as an answer.
    pub fn answer(items: Vec<T>, next_cursor: Option<String>) -> Json<Self> {
        Json(Self { items, next_cursor })
    }
}
