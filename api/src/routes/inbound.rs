//! `POST /v1/inbound/dsn`: a bounce or a complaint that came back, as the mail server received it.
//!
//! 1. The raw message is read (`mail::report`).
//! 2. The addresses that it came to are looked through for one that we made: its tag proves that the report answers a mail
//!    of ours, and its id says which. A Message-ID proves nothing: anybody who got the mail knows it.
//! 3. What it says is written into the mail's history, once, with whether it was proved.
//! 4. A person is suppressed only if it was proved, the report is about the very recipient of that mail, and the status
//!    says that there is no such address (or the reader complained). Policy and full mailboxes say nothing about a person.
//! 5. One that proves itself and speaks of authentication has the sender's domain looked at again.

use axum::Json;
use axum::extract::State as Shared;
use job::Job;
use mail::EmailAddress;
use mail::gate::speaks_of_authentication;
use mail::report::{Action, Report, ReportContent, read};
use mail::verp::Verp;
use secrets::Purpose;
use serde::Serialize;
use store::{Covers, Delivery, DeliveryEvent, DeliveryEventKind, ERASED_ADDRESS, NewSuppression, SuppressionReason};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use worker::jobs::email_send::EmailSend;

use crate::auth::{Caller, InboundWrite};
use crate::body::Raw;
use crate::error::{ApiError, Problem};
use crate::query::Params;
use crate::state::State;

/// The longest diagnostic that is kept, in characters.
const LONGEST: usize = 500;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(dsn))
}

/// What a report was about, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportView {
    /// `status` (RFC 3464) or `complaint` (RFC 5965).
    #[schema(value_type = String)]
    kind: &'static str,
    /// The mail that it is about; null if that cannot be told.
    #[schema(value_type = Option<String>, format = Uuid)]
    delivery_id: Option<Uuid>,
    /// Whether the address that it came to proves it.
    verified: bool,
    /// Whether it was written into the mail's history; false if there is no such mail, or it was there already.
    recorded: bool,
    /// Whether the recipient is suppressed because of it.
    suppressed: bool,
    /// Why not, where one might expect it.
    reason: Option<&'static str>,
}

/// Take a bounce or a complaint
///
/// The body is the raw message. `recipient` names the envelope recipient, where the message itself does not.
#[utoipa::path(
    post, path = "/v1/inbound/dsn", tag = "inbound", operation_id = "createInboundReport",
    params(("recipient" = Option<String>, Query, description = "The address that the report was delivered to")),
    request_body(content = String, content_type = "message/rfc822", description = "The message as it was received"),
    responses(
        (status = 200, description = "It was read", body = ReportView),
        (status = 413, description = "Larger than a call may be", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is no report", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn dsn(
    Shared(state): Shared<State>,
    _: Caller<InboundWrite>,
    mut params: Params,
    Raw(raw): Raw,
) -> Result<Json<ReportView>, ApiError> {
    let recipient = params.text("recipient")?;
    params.end()?;
    let mut report = read(&raw).map_err(|e| ApiError::invalid("body", e.to_string()))?;
    report.sent_to.extend(recipient);
    let (found, verified) = match proved(&state, &report) {
        Some(id) => (Some(id), true),
        None => (claimed(&state, &report).await?, false),
    };
    let delivery = match found {
        Some(id) => state.store.get_delivery(id).await?.map(|(delivery, _)| delivery),
        None => None,
    };
    let kind = match &report.content {
        ReportContent::Status(_) => "status",
        ReportContent::Complaint(_) => "complaint",
    };
    let Some(delivery) = delivery else {
        return Ok(Json(ReportView {
            kind,
            delivery_id: None,
            verified: false,
            recorded: false,
            suppressed: false,
            reason: Some("no mail of ours is named"),
        }));
    };
    let learned = learn(&report, &delivery);
    if verified && learned.of_authentication {
        // Before it is written down: handed in again because the answer was lost, it is not believed to be done.
        doubt(&state, &delivery).await?;
    }
    let event = DeliveryEvent {
        delivery_id: delivery.id,
        at: state.clock.now(),
        kind: learned.kind,
        verified,
        status: learned.status,
        // It names the address, and who was erased is not written down again.
        text: learned.text.clone().filter(|_| delivery.recipient != ERASED_ADDRESS),
    };
    let asked = match learned.suppress {
        Ok(_) if !verified => Err("the report does not prove that it is about this mail"),
        other => other,
    };
    let recorded = match asked {
        Ok(reason) => {
            let suppression = suppression(&state, &delivery, reason, learned.text);
            state.store.add_report(new_id(&state), &event, &raw, &suppression).await?
        }
        Err(_) => state.store.add_delivery_event(new_id(&state), &event, &raw).await?,
    };
    // Somebody may have lifted what followed from it when it was handed in first.
    let reason = if recorded { asked } else { asked.and(Err("this report was handed in before")) };
    tracing::info!(delivery_id = %delivery.id, verified, suppressed = reason.is_ok(), kind, "a report came back");
    Ok(Json(ReportView {
        kind,
        delivery_id: Some(delivery.id),
        verified,
        recorded,
        suppressed: reason.is_ok(),
        reason: reason.err(),
    }))
}

/// The mail whose envelope sender the report came to, by its tag.
fn proved(state: &State, report: &Report) -> Option<Uuid> {
    let ring = state.secrets.as_ref()?;
    report.sent_to.iter().filter_map(|address| Verp::parse(address)).find_map(|verp| {
        let id = Uuid::try_parse(&verp.id).ok()?;
        ring.has_tag(Purpose::Bounce, id.as_bytes(), &verp.tag).then_some(id)
    })
}

/// The mail that the report says it is about, by its Message-ID.
async fn claimed(state: &State, report: &Report) -> Result<Option<Uuid>, ApiError> {
    match &report.original_id {
        Some(id) => Ok(state.store.delivery_by_message_id(id).await?),
        None => Ok(None),
    }
}

/// What a report says about one mail.
struct Learned {
    kind: DeliveryEventKind,
    status: Option<String>,
    text: Option<String>,
    /// Whether it says that our mail does not authenticate.
    of_authentication: bool,
    /// Why its recipient is to be suppressed, or why not.
    suppress: Result<SuppressionReason, &'static str>,
}

fn learn(report: &Report, delivery: &Delivery) -> Learned {
    let ours = |address: &str| {
        let read = EmailAddress::parse(address).map(|read| read.as_str().to_lowercase());
        read.is_ok_and(|read| read == delivery.recipient.to_lowercase())
    };
    match &report.content {
        ReportContent::Status(all) => {
            let about = all.iter().find(|status| ours(&status.final_recipient));
            let said = about.or(all.first());
            let kind = match said.map(|status| status.action) {
                Some(Action::Delayed) => DeliveryEventKind::Delayed,
                Some(Action::Delivered) => DeliveryEventKind::Delivered,
                Some(Action::Failed) | None => DeliveryEventKind::Bounce,
            };
            let suppress = match about {
                None => Err("its final recipient is not the recipient of this mail"),
                Some(status) if status.is_bad_address() => Ok(SuppressionReason::HardBounce),
                Some(_) => Err("its status does not say that there is no such address (5.1.x)"),
            };
            let text = said.and_then(|status| status.diagnostic.as_deref()).map(cut);
            let status = said.and_then(|status| status.status.clone());
            let of_authentication = kind != DeliveryEventKind::Delivered
                && speaks_of_authentication(status.as_deref(), text.as_deref().unwrap_or_default());
            Learned { kind, status, text, of_authentication, suppress }
        }
        ReportContent::Complaint(complaint) => {
            let other = complaint.original_rcpt_to.as_deref().is_some_and(|address| !ours(address));
            let suppress = match complaint.is_unwanted() {
                _ if other => Err("its recipient is not the recipient of this mail"),
                true => Ok(SuppressionReason::Complaint),
                false => Err("it is not a reader who says that the mail is unwanted"),
            };
            let text = Some(cut(&complaint.kind));
            let of_authentication = complaint.is_of_authentication();
            Learned { kind: DeliveryEventKind::Complaint, status: None, text, of_authentication, suppress }
        }
    }
}

/// A receiver says that mail of this sender does not authenticate: its domain is looked at again.
async fn doubt(state: &State, delivery: &Delivery) -> Result<(), ApiError> {
    let Some(gate) = &state.gate else { return Ok(()) };
    if let Some(plan) = gate.plans().find(|plan| plan.senders.contains(&delivery.sender)) {
        tracing::warn!(delivery_id = %delivery.id, domain = plan.domain, "a report speaks of authentication");
        gate.doubt(state.means(), &plan.domain).await?;
    }
    Ok(())
}

/// One line, and not too long: it comes from anywhere.
fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}

fn suppression(
    state: &State,
    delivery: &Delivery,
    reason: SuppressionReason,
    detail: Option<String>,
) -> NewSuppression {
    let lower = delivery.recipient.to_lowercase();
    NewSuppression {
        id: new_id(state),
        address_hash: state.shadow(&lower),
        address: lower,
        covers: Covers::All,
        reason,
        detail,
        delivery_id: Some(delivery.id),
        actor: "a report that came back".to_owned(),
    }
}

fn new_id(state: &State) -> Uuid {
    state.new_id(&EmailSend::queue()).uuid()
}
