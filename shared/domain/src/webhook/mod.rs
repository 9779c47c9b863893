//! Deliveries of identity providers: the proof of who sent one, and what it says has happened.
//!
//! Pure: nothing here reads a clock, a table or the network. Each sender has a module that verifies the delivery by the
//! secret that the two sides share and one that parses it into [`IdpEvent`]s; what an event does is for the flow that
//! applies it. A delivery is taken whole or not at all: one item that cannot be read refuses the batch, so that a sender
//! tries again and nothing is lost in silence.
//!
//! | Sender | Proof | Event id |
//! |---|---|---|
//! | Auth0 log stream | token in `Authorization` ([`shared_token`]) | `log_id` |
//! | Clerk | Svix / Standard Webhooks signature ([`svix`]) | `svix-id` |
//! | WorkOS | HMAC in `WorkOS-Signature` ([`workos`]) | `id` |
//! | Okta event hook | token in `Authorization` ([`shared_token`]) | `uuid` |
//! | OpenID Shared Signals | a signed JWT (module `oidc`) | `jti` |
//! | OpenID Connect Back-Channel Logout | a signed JWT (module `oidc`) | `jti` |

pub mod auth0;
pub mod clerk;
mod fields;
pub mod logout;
pub mod okta;
pub mod shared_token;
mod signed_at;
pub mod ssf;
pub mod svix;
pub mod workos;

use jiff::Timestamp;

/// The largest body of a delivery, in bytes.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// The most events of one delivery.
pub const MAX_EVENTS: usize = 1000;
/// The longest event id, in bytes: it becomes part of a key.
pub const MAX_EVENT_ID_BYTES: usize = 256;
/// The longest subject, in bytes: as long as module `oidc` takes one from a token, so that whoever came can leave.
pub const MAX_SUBJECT_BYTES: usize = 1024;
/// The longest name of a group, in bytes; as for subjects.
pub const MAX_GROUP_BYTES: usize = 1024;

/// One thing that an identity provider says has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpEvent {
    /// The sender's id of the event, the same in each repetition; unique per sender and identity provider.
    pub id: String,
    /// When it happened, as the sender says: what decides between two events that arrive out of order.
    pub at: Option<Timestamp>,
    pub change: Change,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The person is gone for good.
    Deleted { sub: String },
    /// The person is locked out until further notice.
    Suspended { sub: String },
    /// A suspension has ended.
    Restored { sub: String },
    /// The person's profile; `None` says nothing about a field.
    Profile { sub: String, email: Option<String>, name: Option<String>, suspended: Option<bool> },
    /// The person is no longer a member. The vault does not know by which name the group stands in the app's tokens, so
    /// all that the sender tells are here: id, slug, display name, role.
    LeftGroup { sub: String, groups: Vec<String> },
    /// A group is gone, with all of its memberships; names as in [`Change::LeftGroup`].
    GroupDeleted { groups: Vec<String> },
    /// Tokens issued until now no longer count.
    SessionsRevoked { sub: String },
    /// The person has signed out: all of their sessions, or the one that `sid` names. At least one of the two is there.
    LoggedOut { sub: Option<String>, sid: Option<String> },
    /// The sender tries whether the vault listens.
    Verification,
    /// Nothing that the vault acts on; `kind` is for the log.
    Ignored { kind: String },
}

impl Change {
    /// Whether it may change anything.
    pub fn acts(&self) -> bool {
        !matches!(self, Self::Verification | Self::Ignored { .. })
    }

    /// Whom it is about, where it is about one person.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Deleted { sub }
            | Self::Suspended { sub }
            | Self::Restored { sub }
            | Self::Profile { sub, .. }
            | Self::LeftGroup { sub, .. }
            | Self::SessionsRevoked { sub } => Some(sub),
            Self::LoggedOut { sub, .. } => sub.as_deref(),
            Self::GroupDeleted { .. } | Self::Verification | Self::Ignored { .. } => None,
        }
    }
}

/// Why a delivery does not prove its sender. There is one public answer for all of these; the reason is for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    #[error("a header that proves the sender is missing")]
    Missing,
    #[error("a header that proves the sender is repeated or not of its form")]
    Unreadable,
    #[error("the signature is too old")]
    Late,
    #[error("the signature is from the future")]
    Early,
    #[error("no signature or token fits")]
    Forged,
}

/// The sender is who it says, and the content is not what its documentation says: nothing of the delivery is applied.
/// Tells the place, never the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the body is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    #[error("more than {MAX_EVENTS} events in one delivery")]
    TooMany,
    #[error("not valid JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` is not of its type")]
    WrongType(&'static str),
    #[error("`{0}` is empty, too long or has control characters")]
    BadText(&'static str),
    #[error("`{0}` is no time")]
    NotATime(&'static str),
    #[error("two members say different things about `{0}`")]
    Contradiction(&'static str),
    #[error("`{0}` must not be there")]
    Forbidden(&'static str),
}

/// Longest text of [`Change::Ignored`], in bytes.
const MAX_KIND_BYTES: usize = 128;

/// An event without effect. What the sender calls it is cut to a length and to characters that a log can take.
fn ignored(kind: &str) -> Change {
    let mut kind: String = kind.chars().filter(|c| !c.is_control()).take(MAX_KIND_BYTES).collect();
    while kind.len() > MAX_KIND_BYTES {
        kind.pop();
    }
    Change::Ignored { kind }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn all(body: &[u8]) -> Vec<Result<Vec<IdpEvent>, Malformed>> {
        let delivery = svix::Delivery { id: "msg_1".to_owned(), signed_at: Timestamp::UNIX_EPOCH };
        let mut parsed = vec![
            auth0::parse(body),
            okta::parse(body),
            workos::parse(body).map(|event| vec![event]),
            clerk::parse(body, &delivery).map(|event| vec![event]),
        ];
        if let Ok(serde_json::Value::Object(claims)) = serde_json::from_slice(body) {
            parsed.push(ssf::parse(&claims, "https://idp.example.com/"));
            parsed.push(logout::parse(&claims).map(|event| vec![event]));
        }
        parsed
    }

    const DELIVERIES: [&str; 5] = [
        include_str!("testdata/auth0-stream.json"),
        include_str!("testdata/clerk-user-updated.json"),
        include_str!("testdata/clerk-user-deleted.json"),
        include_str!("testdata/clerk-membership-deleted.json"),
        include_str!("testdata/okta-events.json"),
    ];

    proptest! {
        #[test]
        fn a_bent_delivery_is_events_or_an_error_that_quotes_nothing(
            which in 0..DELIVERIES.len(),
            at in any::<prop::sample::Index>(),
            cut in 0..40_usize,
            with in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let mut body = DELIVERIES[which].as_bytes().to_vec();
            let at = at.index(body.len());
            let end = (at + cut).min(body.len());
            body.splice(at..end, with);
            for parsed in all(&body) {
                match parsed {
                    Ok(events) => prop_assert!(events.iter().all(|event| event.id.len() <= MAX_EVENT_ID_BYTES + 5)),
                    Err(error) => prop_assert!(!error.to_string().contains("ada"), "{error}"),
                }
            }
        }
    }

    #[test]
    fn what_is_told_about_an_ignored_event_is_bounded() {
        let Change::Ignored { kind } = ignored(&format!("a\n\u{1b}[31m{}", "é".repeat(1000))) else {
            panic!()
        };
        assert!(kind.len() <= MAX_KIND_BYTES && kind.starts_with("a[31mé"), "{kind}");
        assert!(!kind.chars().any(char::is_control));
    }
}
