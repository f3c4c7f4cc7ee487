//! Who calls, and what they may do.
//!
//! 1. `Authorization: Bearer <key>` is looked up by the key's SHA-256 ([`Keys`]); without one, or with one that is not
//!    known or was revoked: 401.
//! 2. The key's bucket gives a call, or 429 ([`crate::limits`]).
//! 3. A handler says in its signature which scope it needs: `Caller<JobsWrite>`. Without it: 403.
//!
//! Both come before the body is read, so that a stranger cannot make the server parse anything.

mod keys;
mod reader;

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use store::Scope;

pub use keys::{Keys, KnownKey};
pub use reader::Reader;

use crate::error::{ApiError, Fault};
use crate::state::State;

/// A caller whose key allows what `Need` stands for.
#[derive(Debug)]
pub struct Caller<Need> {
    key: KnownKey,
    need: PhantomData<fn() -> Need>,
}

impl<Need> Caller<Need> {
    /// Whether the key also allows `scope`.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.key.allows(scope)
    }

    /// Who calls, for what people read later: the name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        self.key.name()
    }

    /// The caller, as a history names it.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("API key {}", self.key.name())
    }

    /// The scope of an idempotency key: this API key, this route. One client's keys never meet another's.
    #[must_use]
    pub fn idempotency_scope(&self, route: &str) -> String {
        format!("{}:{route}", self.key.id())
    }
}

/// What a handler needs a key for: any one of these scopes.
pub trait Need: 'static {
    /// The scopes, of which one is enough. `admin` always is.
    const ANY_OF: &'static [Scope];
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident = $($scope:ident)|+;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Need for $name {
            const ANY_OF: &'static [Scope] = &[$(Scope::$scope),+];
        }
    )*};
}

needs! {
    /// Enqueue, cancel and retry jobs.
    JobsWrite = JobsWrite;
    /// Look at jobs and queues.
    JobsRead = JobsRead;
    /// Report what happened to bookings.
    BookingsWrite = BookingsWrite;
    /// Look at a booking.
    BookingsRead = BookingsWrite | JobsRead;
    /// Look at what became of mails.
    DeliveriesRead = JobsRead | EmailsWrite;
    /// Look at the senders' domains, and have them checked.
    DomainsAdmin = DomainsAdmin;
    /// Give mail to be sent, and say who is not to be written to.
    EmailsWrite = EmailsWrite;
    /// Hand in what mail servers sent back.
    InboundWrite = InboundWrite;
    /// Send mails again, call them off, say what became of them.
    DeliveriesWrite = EmailsWrite;
    /// Tell of what is wrong, and silence it.
    AlertsWrite = AlertsWrite;
    /// Look at what is wrong.
    AlertsRead = AlertsWrite | JobsRead;
    /// Report searches, and what was done with what they found.
    SearchWrite = SearchWrite;
    /// Look at what was counted of searches.
    SearchRead = SearchWrite | JobsRead;
    /// Stop and start whole queues.
    Operate = Admin;
}

impl<N: Need> FromRequestParts<State> for Caller<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        Self::of(presented(parts)?, state).await
    }
}

impl<N: Need> Caller<N> {
    /// The caller who presents this key. Errors: 401, 403, 429.
    async fn of(presented: &str, state: &State) -> Result<Self, ApiError> {
        let key = state.keys.find(presented, state).await?.ok_or_else(|| {
            ApiError::new(Fault::Unauthorized, "The key is not known, or was revoked.")
                .field("Authorization", "not a key that is known here")
        })?;
        key.take_call()?;
        if N::ANY_OF.iter().any(|scope| key.allows(*scope)) {
            return Ok(Self { key, need: PhantomData });
        }
        let wanted: Vec<&str> = N::ANY_OF.iter().map(|scope| scope.as_str()).collect();
        Err(ApiError::new(Fault::Forbidden, format!("The key lacks the scope {}.", wanted.join(" or "))))
    }
}

fn presented(parts: &Parts) -> Result<&str, ApiError> {
    let missing = |message: &str| {
        ApiError::new(Fault::Unauthorized, format!("{message}: `Authorization: Bearer <key>`."))
            .field("Authorization", message)
    };
    let header = parts.headers.get(AUTHORIZATION).ok_or_else(|| missing("A key is needed"))?;
    let text = header.to_str().map_err(|_| missing("The header is not readable"))?;
    let (scheme, key) = text.split_once(' ').ok_or_else(|| missing("A bearer key is needed"))?;
    if scheme.eq_ignore_ascii_case("Bearer") { Ok(key.trim()) } else { Err(missing("A bearer key is needed")) }
}
