//! Deliveries of identity providers, from the proof of who sent one to its effect.

use std::collections::BTreeMap;

use alter_api_types::IdpId;
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::{IdentityService, events::apply};
use crate::{
    error::{Error, Result},
    model::{IdentityProvider, Webhook, WebhookKind, WebhookProof},
    oidc::{EventKind, EventToken, ExpectedEvent, KeysError},
    repo::IdentityProviders,
    secret::Secret,
    state::WebhookSecrets,
    webhook::{IdpEvent, Malformed, Unverified, auth0, clerk, logout, okta, shared_token, ssf, svix, workos},
};

/// How long after its issue a security event token is still taken. Transmitters repeat for days what they could not deliver; ids
/// of events are remembered a day longer.
const MAX_TOKEN_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many people's events are applied at a time.
const AT_ONCE: usize = 8;
/// The parameter of a back-channel logout (OpenID Connect Back-Channel Logout 1.0 section 2.5).
const LOGOUT_TOKEN: &str = "logout_token";

/// Everything that receiving events takes.
#[derive(Clone)]
pub struct WebhookService {
    pub identity: IdentityService,
    pub secrets: WebhookSecrets,
}

/// A delivery that was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub events: usize,
    /// How many of them changed anything.
    pub acted: usize,
}

impl WebhookService {
    /// Takes in a delivery to the address of one webhook.
    ///
    /// # Errors
    /// [`Error::WebhookUnauthorized`] for whatever does not prove its sender, and where there is no such webhook;
    /// [`Error::InvalidRequest`] for what proves itself and cannot be read, of which nothing is applied.
    pub async fn receive(
        &self,
        id: IdpId,
        kind: WebhookKind,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Taken> {
        let (idp, webhook) = self.webhook(id, kind).await?;
        let events = self.events(&idp, &webhook, kind, headers, body).await?;
        let acted = self.apply(&idp, kind, &events).await?;
        let taken = Taken { events: events.len(), acted };
        tracing::info!(idp = %idp.id, webhook = kind.as_str(), events = taken.events, acted, "delivery");
        Ok(taken)
    }

    /// What an Okta event hook wants to read back before its first delivery.
    pub async fn okta_challenge(&self, id: IdpId, headers: &HeaderMap) -> Result<String> {
        let (idp, _) = self.webhook(id, WebhookKind::Okta).await?;
        let challenge = okta::challenge(headers).map_err(|why| refused(&idp, WebhookKind::Okta, why))?;
        Ok(challenge.to_owned())
    }

    /// Several people's events at a time, one person's in their order. What fails keeps nobody else's from being applied; the
    /// sender repeats the delivery, and what is done is done.
    async fn apply(&self, idp: &IdentityProvider, kind: WebhookKind, events: &[IdpEvent]) -> Result<usize> {
        let mut by_person: BTreeMap<Option<&str>, Vec<&IdpEvent>> = BTreeMap::new();
        for event in events.iter().filter(|event| event.change.acts()) {
            by_person.entry(event.change.subject()).or_default().push(event);
        }
        let mut people = Vec::with_capacity(by_person.len());
        for events in by_person.into_values() {
            people.push(self.apply_in_order(idp, kind, events));
        }
        let results: Vec<Result<usize>> = stream::iter(people).buffer_unordered(AT_ONCE).collect().await;
        results.into_iter().sum()
    }

    async fn apply_in_order(
        &self,
        idp: &IdentityProvider,
        kind: WebhookKind,
        events: Vec<&IdpEvent>,
    ) -> Result<usize> {
        let mut acted = 0;
        for event in events {
            let changed = apply(&self.identity.ports, idp, kind, event).await?;
            acted += usize::from(changed);
            tracing::debug!(idp = %idp.id, webhook = kind.as_str(), event = event.id, changed, "event");
        }
        Ok(acted)
    }

    async fn webhook(&self, id: IdpId, kind: WebhookKind) -> Result<(IdentityProvider, Webhook)> {
        let found = IdentityProviders(self.identity.ports.table.as_ref()).find_by_id(id).await?;
        let idp = found.ok_or(Error::WebhookUnauthorized)?.value;
        let webhook = idp.webhooks.get(&kind).cloned().ok_or(Error::WebhookUnauthorized)?;
        Ok((idp, webhook))
    }

    /// Checks who sent it, and reads it.
    async fn events(
        &self,
        idp: &IdentityProvider,
        webhook: &Webhook,
        kind: WebhookKind,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<IdpEvent>> {
        let now = self.identity.ports.clock.now();
        let refused = |why| refused(idp, kind, why);
        let parsed = match (kind, &webhook.proof) {
            (WebhookKind::Auth0 | WebhookKind::Okta, WebhookProof::Token { digest }) => {
                shared_token::verify(headers, &stored_digest(digest)?).map_err(refused)?;
                if kind == WebhookKind::Auth0 { auth0::parse(body) } else { okta::parse(body) }
            }
            (WebhookKind::Clerk, WebhookProof::Hmac { seal_version }) => {
                let key = self.hmac_key(idp, kind, *seal_version).await?;
                let delivery = svix::verify(&key, headers, body, now).map_err(refused)?;
                clerk::parse(body, &delivery).map(|event| vec![event])
            }
            (WebhookKind::WorkOs, WebhookProof::Hmac { seal_version }) => {
                let key = self.hmac_key(idp, kind, *seal_version).await?;
                workos::verify(&key, headers, body, now).map_err(refused)?;
                workos::parse(body).map(|event| vec![event])
            }
            (WebhookKind::Ssf, WebhookProof::Transmitter { issuer, jwks_uri, audience }) => {
                let audiences = [audience.as_str()];
                let expected =
                    ExpectedEvent { kind: EventKind::SecurityEvent, issuer, audiences: &audiences };
                let text = std::str::from_utf8(body).map_err(|_| refused(Unverified::Unreadable))?;
                let token = self.signed(idp, kind, jwks_uri, &expected, text.trim_ascii()).await?;
                if is_old(token.issued_at, now) {
                    return Err(refused(Unverified::Late));
                }
                ssf::parse(&token.claims, &idp.issuer)
            }
            (WebhookKind::BackchannelLogout, WebhookProof::IdentityProvider) => {
                let client = idp.client_id().ok_or(Error::WebhookUnauthorized)?;
                let audiences = [client];
                let expected =
                    ExpectedEvent { kind: EventKind::Logout, issuer: &idp.issuer, audiences: &audiences };
                let text = logout_token(body).ok_or_else(|| refused(Unverified::Unreadable))?;
                let token = self.signed(idp, kind, &idp.endpoints.jwks_uri, &expected, &text).await?;
                logout::parse(&token.claims).map(|event| vec![event])
            }
            _ => return Err(Error::Internal(format!("webhook {} has another's proof", kind.as_str()))),
        };
        parsed.map_err(|why| malformed(idp, kind, &why))
    }

    async fn hmac_key(
        &self,
        idp: &IdentityProvider,
        kind: WebhookKind,
        seal_version: u64,
    ) -> Result<Secret<Vec<u8>>> {
        let table = IdentityProviders(self.identity.ports.table.as_ref());
        let sealed = table.webhook_secret(idp.id, kind).await?;
        // Another version is not the one that this was read with: the key was replaced in between.
        let sealed = sealed.filter(|sealed| sealed.seal_version == seal_version);
        self.secrets.open(idp, &sealed.ok_or(Error::WebhookUnauthorized)?).await
    }

    async fn signed(
        &self,
        idp: &IdentityProvider,
        kind: WebhookKind,
        jwks_uri: &str,
        expected: &ExpectedEvent<'_>,
        token: &str,
    ) -> Result<EventToken> {
        let keys = &self.identity.keys;
        let verified = keys.verify_event(&self.identity.fetching(), jwks_uri, expected, token).await;
        verified.map_err(|error| match error {
            KeysError::Token(why) => {
                tracing::info!(idp = %idp.id, webhook = kind.as_str(), %why, "a delivery was refused");
                Error::WebhookUnauthorized
            }
            KeysError::Unavailable(why) => Error::IdentityProviderUnavailable(why.to_string()),
        })
    }
}

fn refused(idp: &IdentityProvider, kind: WebhookKind, why: Unverified) -> Error {
    tracing::info!(idp = %idp.id, webhook = kind.as_str(), %why, "a delivery was refused");
    Error::WebhookUnauthorized
}

fn malformed(idp: &IdentityProvider, kind: WebhookKind, why: &Malformed) -> Error {
    tracing::warn!(idp = %idp.id, webhook = kind.as_str(), %why, "a delivery cannot be read");
    Error::InvalidRequest(format!("The delivery cannot be read: {why}."))
}

fn stored_digest(hex: &str) -> Result<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(hex, &mut digest)
        .map_err(|_| Error::Internal("a webhook's digest is not hex".to_owned()))?;
    Ok(digest)
}

fn is_old(issued_at: i64, now: Timestamp) -> bool {
    now.as_second().saturating_sub(issued_at) > MAX_TOKEN_AGE.as_secs()
}

/// The one `logout_token` of a form.
fn logout_token(body: &[u8]) -> Option<String> {
    let mut tokens = url::form_urlencoded::parse(body).filter(|(name, _)| name == LOGOUT_TOKEN);
    let (_, token) = tokens.next()?;
    tokens.next().is_none().then(|| token.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_one_logout_token() {
        assert_eq!(logout_token(b"logout_token=a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(logout_token(b"x=1&logout_token=a%2Eb&y").as_deref(), Some("a.b"));
        for none in [b"".as_slice(), b"logout_token=a&logout_token=b", b"token=a", b"a.b.c"] {
            assert_eq!(logout_token(none), None);
        }
    }

    #[test]
    fn tokens_are_taken_for_a_week() {
        let now = Timestamp::from_second(2_000_000_000).unwrap();
        let week = 7 * 24 * 3600;
        assert!(!is_old(now.as_second() - week, now));
        assert!(is_old(now.as_second() - week - 1, now));
        assert!(is_old(i64::MIN, now));
        assert!(!is_old(now.as_second() + 60, now));
    }

    #[test]
    fn a_stored_digest_is_32_bytes_of_hex() {
        assert_eq!(stored_digest(&"ab".repeat(32)), Ok([0xab; 32]));
        for wrong in ["", "ab", &"xy".repeat(32), &"ab".repeat(33)] {
            assert!(matches!(stored_digest(wrong), Err(Error::Internal(_))));
        }
    }
}
