//! What a caller is told when something is wrong: RFC 9457 `application/problem+json`.
//!
//! 1. Every refusal of every route is an [`ApiError`]: a [`Fault`] (status, title, a stable `type`), a sentence for this
//!    case, and the fields that are at fault.
//! 2. Errors of the queue and the store become one by their own answer to "does trying again help?": 503 with
//!    `Retry-After`, or 500 for a defect, which is logged here and told without its details.
//! 3. Nothing that a client sends may end as 500: input is refused before it reaches the queue or the store, and what
//!    only they can refuse comes back as 422.

use std::fmt;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use job::FieldError;
use queue::BrokerError;
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

/// How long a client is asked to wait when the queue or the store is away, in seconds.
const RETRY_AFTER: u32 = 1;

/// What kind of refusal it is. The `type` of the problem is `urn:postrider:problem:` and the fault's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 400: the body is no JSON, or no UTF-8, or broke off.
    Malformed,
    /// 400: a header or the path cannot be read.
    BadRequest,
    /// 401: no key, or one that is not known.
    Unauthorized,
    /// 403: the key lacks a scope.
    Forbidden,
    /// 404: nothing of that name.
    NotFound,
    /// 405: not with this method.
    MethodNotAllowed,
    /// 408: the body came too slowly.
    Slow,
    /// 409: it contradicts what was accepted, or the state it is in.
    Conflict,
    /// 413: the body is too large.
    TooLarge,
    /// 415: the body is not JSON.
    MediaType,
    /// 421: addressed to another host.
    Misdirected,
    /// 422: it reads, but its fields make no sense.
    Invalid,
    /// 429: more calls than the key may make.
    TooMany,
    /// 500: a defect.
    Internal,
    /// 503: something that is needed is away.
    Unavailable,
}

impl Fault {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed | Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("urn:postrider:problem:malformed-body", "The body is not readable JSON"),
            Self::BadRequest => ("urn:postrider:problem:bad-request", "The request is not readable"),
            Self::Unauthorized => ("urn:postrider:problem:unauthorized", "No valid key"),
            Self::Forbidden => ("urn:postrider:problem:forbidden", "The key does not allow this"),
            Self::NotFound => ("urn:postrider:problem:not-found", "Not found"),
            Self::MethodNotAllowed => ("urn:postrider:problem:method-not-allowed", "Method not allowed"),
            Self::Slow => ("urn:postrider:problem:slow-body", "The body came too slowly"),
            Self::Conflict => ("urn:postrider:problem:conflict", "In conflict with what is there"),
            Self::TooLarge => ("urn:postrider:problem:too-large", "The body is too large"),
            Self::MediaType => ("urn:postrider:problem:media-type", "The body must be JSON"),
            Self::Misdirected => ("urn:postrider:problem:misdirected", "Not this host"),
            Self::Invalid => ("urn:postrider:problem:invalid-fields", "Some fields are not valid"),
            Self::TooMany => ("urn:postrider:problem:too-many-requests", "Too many requests"),
            Self::Internal => ("urn:postrider:problem:internal", "Internal error"),
            Self::Unavailable => ("urn:postrider:problem:unavailable", "Temporarily unavailable"),
        }
    }
}

/// The body of every refusal (RFC 9457 §3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// A stable identifier of the kind of problem.
    #[schema(example = "urn:postrider:problem:invalid-fields")]
    pub r#type: &'static str,
    /// The kind of problem in words.
    #[schema(example = "Some fields are not valid")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What is wrong in this case.
    pub detail: String,
    /// The fields at fault; empty where no field is.
    pub errors: Vec<FieldProblem>,
}

/// A field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The path of the field, such as `booking.student.email`, the name of a header or query parameter, or `body`.
    #[schema(example = "booking.student.email")]
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl From<FieldError> for FieldProblem {
    fn from(e: FieldError) -> Self {
        Self { field: e.field, message: e.message }
    }
}

/// A refusal, on its way to the caller.
#[derive(Debug, Clone)]
pub struct ApiError(Box<Refusal>);

#[derive(Debug, Clone)]
struct Refusal {
    fault: Fault,
    detail: String,
    errors: Vec<FieldProblem>,
    retry_after: Option<u32>,
}

impl ApiError {
    /// A refusal with a sentence for this case.
    pub fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self(Box::new(Refusal { fault, detail: detail.into(), errors: Vec::new(), retry_after: None }))
    }

    /// The same, naming a field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.errors.push(FieldProblem { field: field.into(), message: message.into() });
        self
    }

    /// The same, with `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds.max(1));
        self
    }

    /// 422 for one field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        Self::new(Fault::Invalid, format!("{field}: {message}")).field(field, message)
    }

    /// 422 for several fields, in order. The detail names the first.
    #[must_use]
    pub fn invalid_fields(fields: Vec<FieldError>) -> Self {
        let detail = match fields.as_slice() {
            [] => "Some fields are not valid.".to_owned(),
            [only] => format!("{}: {}", only.field, only.message),
            [first, rest @ ..] => format!("{}: {} (and {} more)", first.field, first.message, rest.len()),
        };
        let mut error = Self::new(Fault::Invalid, detail);
        error.0.errors = fields.into_iter().map(FieldProblem::from).collect();
        error
    }

    /// The same, with its fields under `path`: one item of a list.
    #[must_use]
    pub fn within(mut self, path: &str) -> Self {
        for error in &mut self.0.errors {
            let joint = if error.field.is_empty() || error.field.starts_with('[') { "" } else { "." };
            error.field = format!("{path}{joint}{}", error.field);
        }
        self.0.detail = format!("{path}: {}", self.0.detail);
        self
    }

    /// Whether it names this field.
    #[must_use]
    pub fn is_about(&self, field: &str) -> bool {
        self.0.errors.iter().any(|error| error.field == field)
    }

    /// 404 with what was looked for.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Fault::NotFound, detail)
    }

    /// 409 with why.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Fault::Conflict, detail)
    }

    /// 503 with what is away, and `Retry-After`.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Fault::Unavailable, detail).retry_after(RETRY_AFTER)
    }

    /// 500 for a defect: logged with its cause, told without.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(error = %cause, "a request failed on a defect");
        Self::new(Fault::Internal, "The request failed on our side; it was logged.")
    }

    /// What kind of refusal it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// The refusal as it is told.
    #[must_use]
    pub fn problem(self) -> Problem {
        let (r#type, title) = self.0.fault.words();
        Problem { r#type, title, status: self.0.fault.status().as_u16(), detail: self.0.detail, errors: self.0.errors }
    }
}

impl From<BrokerError> for ApiError {
    fn from(e: BrokerError) -> Self {
        match e {
            BrokerError::Unavailable(cause) => {
                tracing::warn!(error = %cause, "the queue is away");
                Self::unavailable(away("queue"))
            }
            BrokerError::Invalid(why) => Self::new(Fault::Invalid, why),
            BrokerError::Corrupt(cause) => Self::internal(cause),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::BadCursor => Self::invalid("cursor", "not a cursor that this list gave out"),
            e if e.is_transient() => {
                tracing::warn!(error = %e, "the store is away");
                Self::unavailable(away("store"))
            }
            e if e.is_input() => Self::new(Fault::Invalid, e.to_string()),
            e => Self::internal(e),
        }
    }
}

/// What a caller must know of a 503: an answer that was lost on its way back may have been a yes.
fn away(what: &str) -> String {
    format!(
        "The {what} is away for the moment. Whether anything was accepted is not known: repeat the same call, with its \
         Idempotency-Key or unique_key if it has one, until there is another answer."
    )
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let (fault, retry_after) = (self.0.fault, self.0.retry_after);
        let body = serde_json::to_vec(&self.problem()).expect("a problem is strings and a number");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = fault.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if fault == Fault::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
