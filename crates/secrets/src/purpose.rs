//! What a key is for: each purpose has keys of its own.

/// A use of the ring. The label goes into HKDF's `info` (RFC 5869 §3.2): it must never change, or what was made under it
/// is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Content in the store that must not be read there: links, tokens, texts, attachments.
    Content,
    /// The envelope sender's address, by which a bounce is known to be one of ours.
    Bounce,
    /// A link that ends a kind of mail for its reader (RFC 8058).
    Unsubscribe,
    /// A link by which somebody takes an incident on.
    Acknowledge,
    /// A person's address that is to be recognised after it was erased.
    Address,
    /// A visitor's network address, for counting visitors.
    Network,
    /// What a caller asked for, to know it again when they ask again.
    Payload,
}

impl Purpose {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Bounce => "bounce",
            Self::Unsubscribe => "unsubscribe",
            Self::Acknowledge => "acknowledge",
            Self::Address => "address",
            Self::Network => "network",
            Self::Payload => "payload",
        }
    }
}
