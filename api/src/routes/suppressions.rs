//! `/v1/suppressions`: who must not be written to.
//!
//! Lifting one sets on their way again the mails that it held and that are still worth sending: their rows move in one
//! transaction, then their jobs are enqueued.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use jiff::Timestamp;
use job::Job;
use mail::EmailAddress;
use queue::Enqueue;
use serde::{Deserialize, Serialize};
use store::{Added, Covers, Lifting, NewSuppression, Suppression, SuppressionFilter, SuppressionReason, Which};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use worker::jobs::email_send::EmailSend;

use crate::auth::{Caller, DeliveriesRead, EmailsWrite};
use crate::body::{Text, parse};
use crate::enqueue::enqueue_written;
use crate::error::{ApiError, Problem};
use crate::list::List;
use crate::query::{Params, Path};
use crate::state::State;

/// The longest note, in bytes.
const LONGEST_NOTE: usize = 500;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(lift))
}

/// A reason not to write to an address.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuppressionView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// The address, in lower case; null once its owner was erased.
    address: Option<String>,
    /// `all`, or `report`: only what people can unsubscribe from.
    #[schema(value_type = String, example = "all")]
    covers: Covers,
    /// hard_bounce, complaint, unsubscribe or manual.
    #[schema(value_type = String, example = "manual")]
    reason: SuppressionReason,
    /// What the receiver or the operator said.
    detail: Option<String>,
    /// The mail that led to it.
    #[schema(value_type = Option<String>, format = Uuid)]
    delivery_id: Option<Uuid>,
    /// Who or what added it.
    actor: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was lifted; null: it is in force.
    #[schema(value_type = Option<String>, format = DateTime)]
    lifted_at: Option<Timestamp>,
    /// Who lifted it.
    lifted_by: Option<String>,
}

impl From<Suppression> for SuppressionView {
    fn from(s: Suppression) -> Self {
        Self {
            id: s.id,
            address: s.address,
            covers: s.covers,
            reason: s.reason,
            detail: s.detail,
            delivery_id: s.delivery_id,
            actor: s.actor,
            created_at: s.created_at,
            lifted_at: s.lifted_at,
            lifted_by: s.lifted_by,
        }
    }
}

/// Whom not to write to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSuppressionBody {
    /// The address.
    #[schema(example = "ana@example.com")]
    address: String,
    /// `all` (unless said otherwise) or `report`.
    covers: Option<String>,
    /// Why, for whoever looks later. At most 500 bytes.
    note: Option<String>,
}

/// What lifting did.
#[derive(Debug, Serialize, ToSchema)]
pub struct LiftedView {
    /// What was in force until now.
    suppressions: Vec<SuppressionView>,
    /// The mails that were held and are on their way again.
    #[schema(value_type = Vec<String>)]
    released: Vec<Uuid>,
}

/// List suppressions
///
/// Newest first; those in force, and with `lifted=true` the lifted ones too.
#[utoipa::path(
    get, path = "/v1/suppressions", tag = "suppressions", operation_id = "listSuppressions",
    params(
        ("address" = Option<String>, Query, description = "Only of this address"),
        ("lifted" = Option<bool>, Query, description = "true: also those that were lifted"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 unless said otherwise"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of suppressions", body = List<SuppressionView>),
        (status = 422, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list(
    Shared(state): Shared<State>,
    _: Caller<DeliveriesRead>,
    mut params: Params,
) -> Result<Json<List<SuppressionView>>, ApiError> {
    let address = params.parsed::<EmailAddress>("address")?.map(|address| address.as_str().to_owned());
    let lifted = params.parsed::<bool>("lifted")?.unwrap_or(false);
    let (limit, cursor) = params.page()?;
    params.end()?;
    let shadows = address.as_deref().map(|address| state.shadows(address)).unwrap_or_default();
    let filter = SuppressionFilter { address, shadows, lifted };
    let page = state.store.list_suppressions(&filter, limit, cursor.as_deref()).await?;
    Ok(List::answer(page.items.into_iter().map(SuppressionView::from).collect(), page.next_cursor))
}

/// Suppress an address
///
/// No mail goes to it from now on; those that wait are held when their turn comes.
#[utoipa::path(
    post, path = "/v1/suppressions", tag = "suppressions", operation_id = "createSuppression",
    request_body = NewSuppressionBody,
    responses(
        (status = 201, description = "It is in force", body = SuppressionView),
        (status = 200, description = "One that covers the same was in force already", body = SuppressionView),
        (status = 422, description = "A field makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn add(
    Shared(state): Shared<State>,
    caller: Caller<EmailsWrite>,
    Text(text): Text,
) -> Result<(StatusCode, Json<SuppressionView>), ApiError> {
    let body: NewSuppressionBody = parse(&text)?;
    let address: EmailAddress = body.address.parse().map_err(|e| ApiError::invalid("address", format!("{e}")))?;
    if address.as_str().starts_with("*@") {
        return Err(ApiError::invalid("address", "one address is expected: whole domains are not suppressed"));
    }
    let covers = match body.covers.as_deref() {
        None => Covers::All,
        Some(word) => word.parse().map_err(|_| ApiError::invalid("covers", "all or report is expected"))?,
    };
    if body.note.as_deref().is_some_and(|note| note.len() > LONGEST_NOTE || note.chars().any(char::is_control)) {
        return Err(ApiError::invalid("note", format!("one line of at most {LONGEST_NOTE} bytes is expected")));
    }
    let lower = address.as_str().to_lowercase();
    let new = NewSuppression {
        id: state.new_id(&EmailSend::queue()).uuid(),
        address_hash: state.shadow(&lower),
        address: lower,
        covers,
        reason: SuppressionReason::Manual,
        detail: body.note,
        delivery_id: None,
        actor: caller.name().to_owned(),
    };
    Ok(match state.store.add_suppression(&new, state.clock.now()).await? {
        Added::New(row) => (StatusCode::CREATED, Json(row.into())),
        Added::Already(row) => (StatusCode::OK, Json(row.into())),
    })
}

/// Lift a suppression
///
/// By its id, or all of an address. Mails that it held and that are still worth sending are sent.
#[utoipa::path(
    delete, path = "/v1/suppressions/{which}", tag = "suppressions", operation_id = "liftSuppression",
    params(("which" = String, Path, description = "The suppression's id, a UUID, or an address")),
    responses(
        (status = 200, description = "What was lifted, and which mails are on their way again", body = LiftedView),
        (status = 404, description = "Nothing of it is in force", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn lift(
    Shared(state): Shared<State>,
    caller: Caller<EmailsWrite>,
    Path(which): Path<String>,
) -> Result<Json<LiftedView>, ApiError> {
    let which = match Uuid::try_parse(&which) {
        Ok(id) => Which::Id(id),
        Err(_) => match which.parse::<EmailAddress>() {
            Ok(address) => Which::Address(address.as_str().to_owned()),
            Err(_) => return Err(ApiError::not_found("Neither an id of a suppression nor an address.")),
        },
    };
    let now = state.clock.now();
    let by = Lifting {
        actor: caller.name(),
        shadows: &|address| state.shadows(address),
        new_id: &|| state.new_id(&EmailSend::queue()).uuid(),
    };
    let lifted = state.store.lift_suppressions(&which, &by, now).await?;
    if lifted.suppressions.is_empty() {
        return Err(ApiError::not_found("No such suppression is in force."));
    }
    let jobs: Vec<Enqueue> = lifted.released.iter().map(|row| worker::intents::delivery(row, now).into()).collect();
    enqueue_written(&state, &jobs).await?;
    Ok(Json(LiftedView {
        suppressions: lifted.suppressions.into_iter().map(SuppressionView::from).collect(),
        released: lifted.released.iter().map(|row| row.id).collect(),
    }))
}
