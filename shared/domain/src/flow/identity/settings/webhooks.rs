//! Webhooks of an app's identity provider: switching on, replacing the secret, switching off.

use alter_api_types::IdpId;

use super::{about, check_audience, refused};
use crate::{
    egress::EgressRules,
    error::{Error, Result},
    flow::{Change, recorded},
    model::{EventKind, IdentityProvider, SealedWebhookSecret, Webhook, WebhookKind, WebhookProof},
    oidc::transmitter,
    port::{HttpClient, Op},
    repo::{IdentityProviders, Stored},
    secret::Secret,
    state::{Ports, Sealer},
    webhook::{shared_token, svix, workos},
};

/// What a webhook is switched on with.
#[derive(Debug, Default)]
pub struct NewWebhook {
    /// Clerk and WorkOS: the secret that the identity provider shows.
    pub secret: Option<Secret<String>>,
    /// Shared Signals: the transmitter's issuer.
    pub issuer: Option<String>,
    /// Shared Signals: what its tokens are for; by default this webhook's address.
    pub audience: Option<String>,
    /// Replaces what is there.
    pub rotate: bool,
}

/// Where an identity provider sends what it tells. `public_url` has no slash at its end.
pub fn webhook_address(public_url: &str, idp: IdpId, kind: WebhookKind) -> String {
    format!("{public_url}/webhooks/{idp}/{}", kind.as_str())
}

/// Switches a webhook on, or replaces its secret: the old one is refused from then on. A secret that the vault makes is returned,
/// this once; its digest is all that is kept.
pub async fn set_webhook(
    ports: &Ports,
    sealer: &Sealer,
    (egress, public_url): ((&dyn HttpClient, EgressRules), &str),
    (kind, new): (WebhookKind, NewWebhook),
    change: Change,
) -> Result<(IdentityProvider, Option<Secret<String>>)> {
    let idps = IdentityProviders(ports.table.as_ref());
    let Stored { value: mut idp, version } = idps.get(change.app_id).await?;
    let old = idp.webhooks.get(&kind).cloned();
    match (&old, new.rotate) {
        (Some(_), false) => {
            return Err(Error::conflict(
                "webhook_enabled",
                "The webhook is on already; rotate replaces its secret.",
            ));
        }
        (None, true) => return Err(Error::NotFound("webhook")),
        _ => {}
    }
    only(kind, &new)?;
    let proof = proof(ports, sealer, (egress, public_url), &idp, kind, new).await?;
    let now = ports.clock.now();
    let enabled_at = old.map_or(now, |old| old.enabled_at);
    let webhook = Webhook { proof: proof.kept, enabled_at, rotated_at: now };
    idp.webhooks.insert(kind, webhook);
    let mut subject = about(EventKind::WebhookSecretSet, &idp, change);
    subject.detail.insert("webhook".to_owned(), kind.as_str().to_owned());
    let value = IdentityProvider { updated_at: now, ..idp };
    let updated = Stored { value, version };
    recorded(ports, subject, idps.update(&updated, proof.op)).await?;
    Ok((updated.value, proof.shown))
}

/// Switches a webhook off: its next delivery is refused.
pub async fn disable_webhook(ports: &Ports, kind: WebhookKind, change: Change) -> Result<IdentityProvider> {
    let idps = IdentityProviders(ports.table.as_ref());
    let Stored { value: mut idp, version } = idps.get(change.app_id).await?;
    let old = idp.webhooks.remove(&kind).ok_or(Error::NotFound("webhook"))?;
    let op = match old.proof {
        WebhookProof::Hmac { .. } => Some(IdentityProviders::delete_webhook_secret(idp.id, kind)),
        WebhookProof::Token { .. } | WebhookProof::Transmitter { .. } | WebhookProof::IdentityProvider => {
            None
        }
    };
    let mut subject = about(EventKind::WebhookDisabled, &idp, change);
    subject.detail.insert("webhook".to_owned(), kind.as_str().to_owned());
    let value = IdentityProvider { updated_at: ports.clock.now(), ..idp };
    let updated = Stored { value, version };
    recorded(ports, subject, idps.update(&updated, op)).await?;
    Ok(updated.value)
}

/// How deliveries will prove themselves, what is written beside it, and what is shown this once.
struct Proof {
    kept: WebhookProof,
    op: Option<Op>,
    shown: Option<Secret<String>>,
}

async fn proof(
    ports: &Ports,
    sealer: &Sealer,
    ((http, rules), public_url): ((&dyn HttpClient, EgressRules), &str),
    idp: &IdentityProvider,
    kind: WebhookKind,
    new: NewWebhook,
) -> Result<Proof> {
    let plain = |kept| Proof { kept, op: None, shown: None };
    match kind {
        WebhookKind::Auth0 | WebhookKind::Okta => {
            let minted = shared_token::mint(ports.rng.as_ref())?;
            let kept = WebhookProof::Token { digest: hex::encode(minted.digest) };
            Ok(Proof { shown: Some(minted.plain), ..plain(kept) })
        }
        WebhookKind::Clerk | WebhookKind::WorkOs => {
            let key = pasted(kind, new.secret)?;
            // It grows over removals, too, of which nothing is kept: what was sealed before opens no more.
            let after = match idp.webhooks.get(&kind).map(|webhook| &webhook.proof) {
                Some(WebhookProof::Hmac { seal_version }) => seal_version.saturating_add(1),
                _ => 1,
            };
            let now = u64::try_from(ports.clock.now().as_millisecond()).unwrap_or(0);
            let place = (kind, after.max(now));
            let sealed: SealedWebhookSecret = sealer.seal_webhook_secret(ports, idp, place, &key).await?;
            let kept = WebhookProof::Hmac { seal_version: sealed.seal_version };
            Ok(Proof { op: Some(IdentityProviders::put_webhook_secret(&sealed)?), ..plain(kept) })
        }
        WebhookKind::Ssf => {
            let issuer =
                new.issuer.ok_or_else(|| invalid("Shared Signals needs the transmitter's issuer."))?;
            let found = transmitter(http, rules, &issuer).await.map_err(|error| refused(&error))?;
            let audience = match new.audience {
                Some(audience) => check_audience(audience)?,
                None => webhook_address(public_url, idp.id, kind),
            };
            Ok(plain(WebhookProof::Transmitter { issuer: found.issuer, jwks_uri: found.jwks_uri, audience }))
        }
        WebhookKind::BackchannelLogout => match &idp.client {
            Some(_) => Ok(plain(WebhookProof::IdentityProvider)),
            None => Err(Error::conflict(
                "sign_in_client_required",
                "Back-channel logout is told to the sign-in client: set that first.",
            )),
        },
    }
}

/// What does not belong to this kind is refused, and not left out in silence.
fn only(kind: WebhookKind, new: &NewWebhook) -> Result<()> {
    let takes_secret = matches!(kind, WebhookKind::Clerk | WebhookKind::WorkOs);
    if new.secret.is_some() && !takes_secret {
        let made = matches!(kind, WebhookKind::Auth0 | WebhookKind::Okta);
        return Err(invalid(if made {
            "The vault makes this webhook's secret."
        } else {
            "This webhook has no secret."
        }));
    }
    match kind != WebhookKind::Ssf && (new.issuer.is_some() || new.audience.is_some()) {
        true => Err(invalid("Only Shared Signals has an issuer and an audience.")),
        false => Ok(()),
    }
}

/// The HMAC key out of what the operator pasted.
fn pasted(kind: WebhookKind, secret: Option<Secret<String>>) -> Result<Secret<Vec<u8>>> {
    let secret = secret.ok_or_else(|| {
        Error::field("webhook_secret_required", "Paste the signing secret that the identity provider shows.")
    })?;
    let (key, expected) = match kind {
        WebhookKind::Clerk => (svix::key(&secret), "whsec_ and base64"),
        _ => (workos::key(&secret), "16 to 256 characters without blanks"),
    };
    key.ok_or_else(|| {
        Error::field("invalid_webhook_secret", format!("The signing secret is not of its form: {expected}."))
    })
}

fn invalid(message: &str) -> Error {
    Error::field("invalid_webhook", message)
}
