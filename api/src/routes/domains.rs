//! `/v1/domains`: whether mail of the senders' domains authenticates, what was found, and looking again.

use axum::Json;
use axum::extract::State as Shared;
use jiff::Timestamp;
use mail::gate::{Finding, Report};
use serde::Serialize;
use store::{Domain, DomainCheck, DomainRelay};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use worker::Gate;
use worker::gate::Cause;

use crate::auth::{Caller, DomainsAdmin};
use crate::error::{ApiError, Fault, Problem};
use crate::list::List;
use crate::query::{Params, Path};
use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(history)).routes(routes!(check))
}

/// A domain at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub struct DomainView {
    /// Its name.
    #[schema(example = "example.com")]
    name: String,
    /// The sender profiles at it.
    #[schema(example = json!(["bookings", "hello"]))]
    senders: Vec<String>,
    /// `unchecked`, `verified`, `suspect` (a bad answer, to be confirmed) or `failed`.
    #[schema(value_type = String, example = "verified")]
    state: &'static str,
    /// How many of its mails are held.
    held: u64,
    /// What is wrong, in one line; null if nothing is.
    reason: Option<String>,
    /// When it was last looked at.
    #[schema(value_type = Option<String>, format = DateTime)]
    checked_at: Option<Timestamp>,
    /// When that was last good.
    #[schema(value_type = Option<String>, format = DateTime)]
    verified_at: Option<Timestamp>,
    /// When it is looked at again.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_check_at: Option<Timestamp>,
    /// The DKIM selector that signs, if it was rotated; null: the configuration says.
    selector: Option<String>,
    /// Where it stands with the second relay, if there is one. All else is about the first.
    relays: Vec<DomainRelayView>,
}

/// A domain with a further relay.
#[derive(Debug, Serialize, ToSchema)]
pub struct DomainRelayView {
    /// The relay, as in the deliveries' attempts.
    #[schema(example = "other-relay.example.com:587")]
    relay: String,
    /// As that of the domain. Only a relay that is `verified`, or was lately, takes over.
    #[schema(value_type = String, example = "verified")]
    state: &'static str,
    /// What is wrong, in one line; null if nothing is.
    reason: Option<String>,
    /// When it was last looked at.
    #[schema(value_type = Option<String>, format = DateTime)]
    checked_at: Option<Timestamp>,
    /// When that was last good.
    #[schema(value_type = Option<String>, format = DateTime)]
    verified_at: Option<Timestamp>,
}

/// A domain with what was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct DomainDetail {
    #[serde(flatten)]
    domain: DomainView,
    /// One a rule and place, in the order in which to read them.
    findings: Vec<FindingView>,
}

/// What one rule found at one place.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingView {
    /// The rule.
    #[schema(example = "spf.lookups")]
    rule: String,
    /// `ok`, `info`, `warn`, `unclear` (the DNS did not answer) or `block` (mail is held).
    #[schema(value_type = String, example = "ok")]
    severity: &'static str,
    /// The name or address that was looked at.
    place: String,
    /// What was found.
    #[schema(example = "4 of 10 lookups")]
    found: String,
    /// Where the rule is written.
    #[schema(example = "RFC 7208 §4.6.4")]
    source: String,
    /// The record that would mend it; null if there is none.
    publish: Option<PublishView>,
    /// The relay that it is about; null: about all mail of the domain.
    relay: Option<String>,
}

/// A record to publish.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishView {
    /// Where.
    name: String,
    /// Its type.
    #[schema(example = "TXT")]
    kind: String,
    /// Its data, in one piece.
    value: String,
    /// The same as a line of a zone file.
    line: String,
}

/// A check that found something new.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    checked_at: Timestamp,
    /// Why it was looked at: `start`, `due`, `first_send`, `request` or `schedule`.
    cause: String,
    /// `pass`, `unclear` or `fail`.
    verdict: String,
    /// Where the domain stood afterwards.
    #[schema(value_type = String)]
    state: &'static str,
    /// What was found.
    findings: Vec<FindingView>,
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        Self {
            rule: finding.rule,
            severity: finding.severity.as_str(),
            place: finding.place,
            found: finding.found,
            source: finding.source,
            publish: finding.publish.map(|record| PublishView {
                line: record.zone_line(),
                name: record.name,
                kind: record.kind,
                value: record.value,
            }),
            relay: finding.relay,
        }
    }
}

impl From<DomainCheck> for CheckView {
    fn from(check: DomainCheck) -> Self {
        Self {
            checked_at: check.checked_at,
            cause: check.cause,
            verdict: check.verdict,
            state: check.state.as_str(),
            findings: findings(Some(check.report)),
        }
    }
}

/// What a stored report says; one of another release that no longer reads says nothing.
fn findings(report: Option<serde_json::Value>) -> Vec<FindingView> {
    let report = report.and_then(|report| serde_json::from_value::<Report>(report).ok());
    report.map(|report| report.findings.into_iter().map(FindingView::from).collect()).unwrap_or_default()
}

/// List the senders' domains
///
/// Where each stands, and how many of its mails are held.
#[utoipa::path(
    get, path = "/v1/domains", tag = "domains", operation_id = "listDomains",
    responses((status = 200, description = "All domains that mail is sent from, by name", body = List<DomainView>))
)]
async fn list(
    Shared(state): Shared<State>,
    _: Caller<DomainsAdmin>,
    params: Params,
) -> Result<Json<List<DomainView>>, ApiError> {
    params.end()?;
    let (stored, held) = (state.store.domains().await?, state.store.held_counts().await?);
    let views = gate(&state)?.plans().map(|plan| {
        let domain = stored.iter().find(|domain| domain.name == plan.domain).cloned();
        let held = plan.senders.iter().filter_map(|sender| held.get(sender)).sum();
        view(domain.unwrap_or_else(|| Domain::unknown(&plan.domain)), &plan.senders, held)
    });
    Ok(List::answer(views.collect(), None))
}

/// Look at a domain
///
/// Where it stands and what its last check found, with the record to publish where something is wrong.
#[utoipa::path(
    get, path = "/v1/domains/{name}", tag = "domains", operation_id = "getDomain",
    params(("name" = String, Path, description = "The domain")),
    responses(
        (status = 200, description = "The domain", body = DomainDetail),
        (status = 404, description = "Nobody sends from it", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn show(
    Shared(state): Shared<State>,
    _: Caller<DomainsAdmin>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<DomainDetail>, ApiError> {
    params.end()?;
    let name = known(gate(&state)?, &name)?;
    let domain = state.store.domain(&name).await?.unwrap_or_else(|| Domain::unknown(&name));
    detail(&state, domain).await
}

/// List what the checks of a domain found
///
/// Newest first; a line for each check that found something else than the one before it, for 90 days.
#[utoipa::path(
    get, path = "/v1/domains/{name}/checks", tag = "domains", operation_id = "listDomainChecks",
    params(
        ("name" = String, Path, description = "The domain"),
        ("limit" = Option<u32>, Query, description = "1 to 1000; 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = List<CheckView>),
        (status = 404, description = "Nobody sends from it", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn history(
    Shared(state): Shared<State>,
    _: Caller<DomainsAdmin>,
    Path(name): Path<String>,
    mut params: Params,
) -> Result<Json<List<CheckView>>, ApiError> {
    let (limit, cursor) = params.page()?;
    params.end()?;
    let name = known(gate(&state)?, &name)?;
    let page = state.store.domain_checks(&name, limit, cursor.as_deref()).await?;
    Ok(List::answer(page.items.into_iter().map(CheckView::from).collect(), page.next_cursor))
}

/// Check a domain now
///
/// Asks the DNS, the relay and what is published over HTTPS. The answer is stored; if it is good, mail that was held for
/// the domain leaves.
#[utoipa::path(
    post, path = "/v1/domains/{name}/check", tag = "domains", operation_id = "checkDomain",
    params(("name" = String, Path, description = "The domain")),
    responses(
        (status = 200, description = "What was found", body = DomainDetail),
        (status = 404, description = "Nobody sends from it", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn check(
    Shared(state): Shared<State>,
    _: Caller<DomainsAdmin>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<DomainDetail>, ApiError> {
    params.end()?;
    let gate = gate(&state)?;
    let name = known(gate, &name)?;
    match gate.check(state.means(), &name, Cause::Request, true).await? {
        Some(checked) => detail(&state, checked.domain).await,
        None => Err(nobody()),
    }
}

fn gate(state: &State) -> Result<&Gate, ApiError> {
    let unable = || ApiError::new(Fault::Unavailable, "This API cannot read the keys that sign: its log says why.");
    state.gate.as_deref().ok_or_else(unable)
}

fn known(gate: &Gate, name: &str) -> Result<String, ApiError> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if gate.plan(&name).is_some() { Ok(name) } else { Err(nobody()) }
}

fn nobody() -> ApiError {
    ApiError::not_found("No sender is at this domain.")
}

async fn detail(state: &State, domain: Domain) -> Result<Json<DomainDetail>, ApiError> {
    let senders = gate(state)?.plan(&domain.name).map(|plan| plan.senders.clone()).unwrap_or_default();
    let held = state.store.held_counts().await?;
    let held = senders.iter().filter_map(|sender| held.get(sender)).sum();
    let findings = findings(domain.report.clone());
    Ok(Json(DomainDetail { domain: view(domain, &senders, held), findings }))
}

fn view(domain: Domain, senders: &[String], held: u64) -> DomainView {
    DomainView {
        name: domain.name,
        senders: senders.to_vec(),
        state: domain.state.as_str(),
        held,
        reason: domain.reason,
        checked_at: domain.checked_at,
        verified_at: domain.verified_at,
        next_check_at: domain.next_check_at,
        selector: domain.selector,
        relays: domain.relays.into_iter().map(DomainRelayView::from).collect(),
    }
}

impl From<DomainRelay> for DomainRelayView {
    fn from(relay: DomainRelay) -> Self {
        Self {
            relay: relay.relay,
            state: relay.state.as_str(),
            reason: relay.reason,
            checked_at: relay.checked_at,
            verified_at: relay.verified_at,
        }
    }
}
