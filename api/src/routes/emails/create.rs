//! `POST /v1/emails`: a mail of the caller's, to one or several people.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::DeliveryState;
use utoipa::ToSchema;
use uuid::Uuid;

use super::accept::{Once, accept};
use super::attachment::AttachmentBody;
use super::body::Words;
use super::order::Order;
use crate::auth::{Caller, EmailsWrite};
use crate::body::{BatchText, parse};
use crate::error::{ApiError, Problem};
use crate::idempotency::{IdempotencyKey, digest_of};
use crate::state::State;

/// A mail to be sent. Either `template` and `data`, or `subject` with `text`, `html` or both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailBody {
    /// A sender profile: its name, its address, or `Name <its address>`.
    #[schema(example = "hello")]
    from: String,
    /// Who it goes to, `address` or `Name <address>`. All that are in `to` and `cc` are shown to each.
    to: OneOrMany,
    #[serde(default)]
    cc: OneOrMany,
    /// Who gets it unseen.
    #[serde(default)]
    bcc: OneOrMany,
    /// Where answers go; the profile's unless given.
    #[serde(default)]
    reply_to: OneOrMany,
    /// One line.
    subject: Option<String>,
    /// The plain text part; made from `html` unless given.
    text: Option<String>,
    /// The HTML part. It is the caller's own: nothing in it is escaped.
    html: Option<String>,
    /// A template of this installation.
    #[schema(example = "password_reset")]
    template: Option<String>,
    /// What it is filled with. Kept sealed.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// The template's language (BCP 47); English unless given.
    locale: Option<String>,
    /// booking, account, security, alert or report; the profile's unless given. Reports can be unsubscribed from.
    category: Option<String>,
    /// Not before this instant; at most 30 days ahead.
    #[schema(value_type = Option<String>, format = DateTime)]
    send_at: Option<Timestamp>,
    /// Further header fields.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Files.
    #[serde(default)]
    attachments: Vec<AttachmentBody>,
    /// Your own labels.
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// One address, or a list of them.
#[derive(Debug, Default, Clone, PartialEq, Eq, ToSchema)]
pub struct OneOrMany(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Addresses;
        impl<'de> serde::de::Visitor<'de> for Addresses {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an address, or a list of addresses")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<OneOrMany, E> {
                Ok(OneOrMany::default())
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(OneOrMany(all))
            }
        }
        deserializer.deserialize_any(Addresses)
    }
}

/// An email that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmailAcceptedView {
    /// The email's id.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// One a recipient: ask `/v1/deliveries/{id}` what became of it.
    deliveries: Vec<EmailDeliveryView>,
    /// Present and true if this call was accepted before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

/// The mail to one recipient.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmailDeliveryView {
    /// The delivery's id.
    #[schema(value_type = String, format = Uuid)]
    pub(super) id: Uuid,
    /// Where it stands.
    #[schema(value_type = String, example = "queued")]
    pub(super) state: DeliveryState,
}

/// Send a mail
///
/// One delivery for each recipient. The body may have 8 MiB, attachments 5 MiB together. With `Idempotency-Key` the same
/// call can be made again within 24 hours.
#[utoipa::path(
    post, path = "/v1/emails", tag = "emails", operation_id = "createEmail", request_body = EmailBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    responses(
        (status = 202, description = "Accepted", body = EmailAcceptedView),
        (status = 200, description = "This call was accepted before: `duplicate` is true", body = EmailAcceptedView),
        (status = 409, description = "The key was used for another call", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 8 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    Shared(state): Shared<State>,
    caller: Caller<EmailsWrite>,
    IdempotencyKey(key): IdempotencyKey,
    BatchText(text): BatchText,
) -> Result<(StatusCode, Json<EmailAcceptedView>), ApiError> {
    let body: EmailBody = parse(&text)?;
    let now = state.clock.now();
    let order = Order {
        from: body.from,
        to: body.to.0,
        cc: body.cc.0,
        bcc: body.bcc.0,
        reply_to: body.reply_to.0,
        words: Words {
            template: body.template,
            data: body.data,
            names: None,
            subject: body.subject,
            text: body.text,
            html: body.html,
        },
        locale: body.locale,
        category: body.category,
        send_at: body.send_at,
        headers: body.headers,
        attachments: body.attachments,
        tags: body.tags.into_iter().collect(),
    };
    let checked = order.check(&state, "send_at", now)?;
    let scoped = key.map(|key| format!("{}:{key}", caller.idempotency_scope("POST /v1/emails")));
    let once = Once { key: scoped.as_deref(), digest: digest_of(&text) };
    let taken = accept(&state, checked, once, now).await?;
    let deliveries = taken.deliveries.iter().map(|row| EmailDeliveryView { id: row.id, state: row.state }).collect();
    let status = if taken.duplicate { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(EmailAcceptedView { id: taken.id, deliveries, duplicate: taken.duplicate })))
}
