//! Whose record is read, and which rows of it: what of a row decides whether it is shown.

use std::borrow::Cow;

use alter_api_types::{AgentId, AppId, GrantId, OrgId, UserId};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    keyspace,
    model::{AuditEvent, EventKind, OutcomeKind, Principal, PrincipalType},
    port::Index,
};

/// Whose record is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditScope {
    App(AppId),
    /// What concerns the organization as a whole (not its apps' rows).
    Org(OrgId),
    /// What concerns one person, in all apps of the organization: the rows that each of them could read of them, together.
    Person {
        org: OrgId,
        /// Who they are there: one user for each claim by which its apps tell users apart.
        users: Vec<UserId>,
        /// A grant that is theirs to see: read what there is of it, and of them, from its index, which is shorter than theirs. Never
        /// a grant that somebody merely asks for: how long the reading takes would tell what others do with it.
        grant: Option<GrantId>,
    },
}

impl AuditScope {
    pub(super) fn holds(&self, seen: &Seen<'_>) -> bool {
        match self {
            Self::App(app) => seen.app_id == Some(*app),
            Self::Org(org) => seen.org_id == *org && seen.app_id.is_none(),
            Self::Person { org, users, .. } => {
                let is_theirs = seen.user().is_some_and(|user| users.contains(&user));
                is_theirs && seen.org_id == *org && seen.app_id.is_some()
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
}

/// All conditions hold at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub app_id: Option<AppId>,
    pub grant_id: Option<GrantId>,
    pub agent_id: Option<AgentId>,
    pub user_id: Option<UserId>,
    pub principal_type: Option<PrincipalType>,
    pub provider_id: Option<String>,
    pub kind: Option<EventKind>,
    pub outcome: Option<OutcomeKind>,
    /// Part of the key prefix of the actor.
    pub key_prefix: Option<String>,
    pub text: Option<Needle>,
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    pub order: Order,
}

/// Text to be found somewhere in what a call was for and where it went, whatever the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle(String);

impl Needle {
    /// `None` for nothing but spaces, which is everywhere.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_lowercase()))
    }

    fn is_in(&self, text: &str) -> bool {
        let needle = self.0.as_bytes();
        if text.is_ascii() {
            return text.as_bytes().windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle));
        }
        text.to_lowercase().contains(&self.0)
    }
}

impl AuditFilter {
    pub(super) fn admits(&self, seen: &Seen<'_>) -> bool {
        self.app_id.is_none_or(|id| seen.app_id == Some(id))
            && self.grant_id.is_none_or(|id| seen.grant.as_ref().is_some_and(|grant| grant.id == id))
            && self.agent_id.is_none_or(|id| seen.agent() == Some(id))
            && self.user_id.is_none_or(|id| seen.user() == Some(id))
            && self.principal_type.is_none_or(|kind| seen.principal().map(Principal::kind) == Some(kind))
            && self.provider_id.as_deref().is_none_or(|id| seen.provider_id() == Some(id))
            && self.kind.is_none_or(|kind| seen.kind == kind)
            && self
                .outcome
                .is_none_or(|kind| seen.outcome.as_ref().is_some_and(|outcome| outcome.kind == kind))
            && self.key_prefix.as_deref().is_none_or(|prefix| {
                seen.actor.key_prefix.as_ref().is_some_and(|has| has.0.starts_with(prefix))
            })
            && self.text.as_ref().is_none_or(|text| seen.texts().any(|has| text.is_in(has)))
    }

    /// Whether rows of the span may have to be passed over.
    pub(super) fn narrows(&self) -> bool {
        let Self { since, until, order, .. } = self;
        *self != Self { since: *since, until: *until, order: *order, ..Self::default() }
    }

    /// The indexes that hold the fewest rows to examine. None: the scope's own partitions.
    pub(super) fn indexes(&self, scope: &AuditScope) -> Vec<(Index, String)> {
        let of_grant = |grant| (Index::First, keyspace::audit_of_grant(grant));
        let of_user = |user: &UserId| (Index::Third, keyspace::audit_of_user(*user));
        match (scope, self) {
            (AuditScope::Person { grant: Some(grant), .. }, _) => vec![of_grant(*grant)],
            (AuditScope::Person { users, .. }, _) => users.iter().map(of_user).collect(),
            (_, Self { grant_id: Some(grant), .. }) => vec![of_grant(*grant)],
            (_, Self { agent_id: Some(agent), .. }) => {
                vec![(Index::Second, keyspace::audit_of_agent(*agent))]
            }
            (_, Self { user_id: Some(user), .. }) => vec![of_user(user)],
            _ => Vec::new(),
        }
    }
}

/// What of a row decides whether it is shown, without the rest: reading that takes a third of the time.
#[derive(Deserialize)]
pub(super) struct Seen<'a> {
    org_id: OrgId,
    #[serde(default)]
    app_id: Option<AppId>,
    pub(super) at: Timestamp,
    pub(super) kind: EventKind,
    #[serde(borrow)]
    actor: SeenActor<'a>,
    #[serde(default, borrow)]
    grant: Option<SeenGrant<'a>>,
    #[serde(default)]
    user_id: Option<UserId>,
    #[serde(default, borrow)]
    call: Option<SeenCall<'a>>,
    #[serde(default)]
    pub(super) outcome: Option<SeenOutcome>,
}

/// In a type of its own, because an optional `Cow` would be read as an owned one.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> From<&'a String> for Text<'a> {
    fn from(text: &'a String) -> Self {
        Self(Cow::Borrowed(text))
    }
}

#[derive(Deserialize)]
struct SeenActor<'a> {
    #[serde(default)]
    agent_id: Option<AgentId>,
    #[serde(default, borrow)]
    key_prefix: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct SeenGrant<'a> {
    id: GrantId,
    #[serde(borrow)]
    provider_id: Text<'a>,
    principal: Cow<'a, Principal>,
}

#[derive(Deserialize)]
struct SeenCall<'a> {
    #[serde(borrow)]
    method: Text<'a>,
    #[serde(borrow)]
    host: Text<'a>,
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(default, borrow)]
    provider_id: Option<Text<'a>>,
    #[serde(default, borrow)]
    reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct SeenOutcome {
    pub(super) kind: OutcomeKind,
}

impl<'a> Seen<'a> {
    pub(super) fn of(event: &'a AuditEvent) -> Self {
        let actor = SeenActor {
            agent_id: event.actor.agent_id,
            key_prefix: event.actor.key_prefix.as_ref().map(Text::from),
        };
        let grant = event.grant.as_ref().map(|grant| SeenGrant {
            id: grant.id,
            provider_id: (&grant.provider_id).into(),
            principal: Cow::Borrowed(&grant.principal),
        });
        let call = event.call.as_ref().map(|call| SeenCall {
            method: (&call.method).into(),
            host: (&call.host).into(),
            path: (&call.path).into(),
            provider_id: call.provider_id.as_ref().map(Text::from),
            reason: call.reason.as_ref().map(Text::from),
        });
        Self {
            org_id: event.org_id,
            app_id: event.app_id,
            at: event.at,
            kind: event.kind,
            actor,
            grant,
            user_id: event.user_id,
            call,
            outcome: event.outcome.as_ref().map(|outcome| SeenOutcome { kind: outcome.kind }),
        }
    }

    fn principal(&self) -> Option<&Principal> {
        self.grant.as_ref().map(|grant| grant.principal.as_ref())
    }

    /// As [`AuditEvent::user`].
    fn user(&self) -> Option<UserId> {
        match self.principal() {
            Some(Principal::User { user_id }) => Some(*user_id),
            _ => self.user_id,
        }
    }

    /// As [`AuditEvent::agent`].
    fn agent(&self) -> Option<AgentId> {
        self.actor.agent_id.or(match self.principal() {
            Some(Principal::Agent { agent_id }) => Some(*agent_id),
            _ => None,
        })
    }

    /// As [`AuditEvent::provider_id`].
    fn provider_id(&self) -> Option<&str> {
        let of_call = self.call.as_ref().and_then(|call| call.provider_id.as_ref());
        let of_grant = self.grant.as_ref().map(|grant| &grant.provider_id);
        of_grant.or(of_call).map(|text| text.0.as_ref())
    }

    /// Where a needle may be.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let of_call = self.call.iter().flat_map(|call| {
            let always = [&call.method, &call.host, &call.path];
            call.reason.iter().chain(always)
        });
        of_call.map(|text| text.0.as_ref()).chain(self.provider_id())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use uuid::Uuid;

    use super::*;
    use crate::model::{Actor, CallFacts, GrantRef, Outcome, Phase};

    fn id<T: From<Uuid>>(n: u128) -> T {
        Uuid::from_u128(n).into()
    }

    fn event(principal: Principal) -> AuditEvent {
        AuditEvent {
            id: id(1),
            org_id: id(2),
            app_id: Some(id(3)),
            at: Timestamp::from_second(1_800_000_000).unwrap(),
            kind: EventKind::Call,
            phase: Phase::Final,
            actor: Actor { agent_id: Some(id(4)), key_prefix: Some("alter_key".into()), ..Actor::of_vault() },
            surface: None,
            grant: Some(GrantRef {
                id: id(5),
                connection_id: None,
                provider_id: "google-calendar".into(),
                principal,
                label: None,
            }),
            user_id: Some(id(6)),
            call: Some(CallFacts {
                method: "DELETE".into(),
                host: "api.example".into(),
                path: "/v1/Straße".into(),
                provider_id: None,
                reason: Some("Says \"no\"\n\u{202e}ÜBER all".into()),
                context: BTreeMap::new(),
                traceparent: None,
            }),
            outcome: Some(Outcome::of(OutcomeKind::Denied)),
            detail: BTreeMap::new(),
        }
    }

    /// The two ways to see a row agree, in every question that is asked of it.
    #[test]
    fn a_row_is_seen_alike_before_and_after_it_is_read_whole() {
        let user = Principal::User { user_id: id(7) };
        let group = Principal::Group { idp_id: id(8), external_group_id: "g\"\\".into() };
        for principal in [user, group, Principal::System, Principal::Agent { agent_id: id(9) }] {
            let whole = event(principal);
            let json = serde_json::to_vec(&whole).unwrap();
            let (slim, of_whole) = (serde_json::from_slice::<Seen<'_>>(&json).unwrap(), Seen::of(&whole));
            assert_eq!(slim.user(), whole.user());
            assert_eq!(slim.agent(), whole.agent());
            assert_eq!(slim.provider_id(), whole.provider_id());
            assert_eq!(slim.principal(), of_whole.principal());
            assert_eq!(slim.texts().collect::<Vec<_>>(), of_whole.texts().collect::<Vec<_>>());
            assert_eq!((slim.at, slim.kind), (whole.at, whole.kind));
        }
    }

    #[test]
    fn a_needle_is_found_whatever_the_case_and_only_where_people_look() {
        let event = event(Principal::System);
        let seen = Seen::of(&event);
        let finds =
            |text: &str| AuditFilter { text: Needle::new(text), ..AuditFilter::default() }.admits(&seen);
        for text in [
            "delete",
            "API.Example",
            "/v1/STRASSE".replace("SS", "ß").as_str(),
            "über ALL",
            "\"NO\"",
            "calendar",
            " no ",
        ] {
            assert!(finds(text), "{text}");
        }
        for text in ["alter_key", "denied", "api.example/v1", "*", "%"] {
            assert!(!finds(text), "{text}");
        }
        assert!(Needle::new(" \t").is_none());
    }
}
