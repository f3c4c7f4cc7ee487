//! A refusal as clients of Alertmanager read it: a JSON string, with 400 where a field makes no sense.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::Value;

/// The largest problem that is read again, in bytes; ours are far smaller.
const LARGEST: usize = 1 << 20;

/// Turns problem documents into strings.
pub async fn as_text(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t == "application/problem+json");
    if !is_problem {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let bytes = http_body_util::Limited::new(body, LARGEST).collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if head.status == StatusCode::UNPROCESSABLE_ENTITY {
        head.status = StatusCode::BAD_REQUEST;
    }
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(head, Body::from(Value::String(words(&problem)).to_string()))
}

/// The detail, and what is wrong with each field if it is more than one.
fn words(problem: &Value) -> String {
    let detail = problem["detail"].as_str().unwrap_or("refused");
    let fields = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told = |field: &Value| format!("{}: {}", text(&field["field"]), text(&field["message"]));
    match fields {
        [] | [_] => detail.to_owned(),
        several => several.iter().map(told).collect::<Vec<_>>().join("; "),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
