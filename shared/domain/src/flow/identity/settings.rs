//! An app's identity provider as its operator sets it up: discovering, adding, changing, removing.

mod client;
mod webhooks;

use std::collections::BTreeMap;

pub use client::{remove_sign_in_client, set_sign_in_client};
pub use webhooks::{NewWebhook, disable_webhook, set_webhook, webhook_address};

use crate::{
    egress::EgressRules,
    error::{Error, Result},
    flow::{Change, Subject, recorded},
    model::{EventKind, IdentityProvider, IdpEndpoints},
    oidc::{ClaimNames, Discovered, DiscoveryError, IdpKind, discover},
    port::HttpClient,
    repo::{IdentityProviders, Stored},
    state::Ports,
};

/// An identity provider to be added. What it is and where it answers is read from its issuer.
#[derive(Debug, Clone)]
pub struct NewIdentityProvider {
    pub issuer: String,
    /// Left out: what the issuer is recognised as.
    pub kind: Option<IdpKind>,
    pub claims: ClaimChange,
    pub audience: Option<String>,
}

/// What is left out stays, or is what the product's tokens have as they come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimChange {
    pub user_id: Option<String>,
    pub groups: Option<Option<String>>,
    pub roles: Option<Option<String>>,
}

#[derive(Debug, Clone, Default)]
pub struct IdentityProviderChange {
    pub kind: Option<IdpKind>,
    pub claims: ClaimChange,
    pub audience: Option<Option<String>>,
    /// Reads the issuer's document again.
    pub rediscover: bool,
}

/// In bytes. It is part of every verification.
const MAX_AUDIENCE_BYTES: usize = 512;

/// What an issuer says of itself. Stores nothing.
pub async fn discover_identity_provider(
    (http, rules): (&dyn HttpClient, EgressRules),
    issuer: &str,
) -> Result<Discovered> {
    discover(http, rules, issuer).await.map_err(|error| refused(&error))
}

/// Gives the app its identity provider. The issuer is asked now, whatever it said before: one that cannot be reached, or does
/// not follow OpenID Connect, is not stored.
pub async fn add_identity_provider(
    ports: &Ports,
    egress: (&dyn HttpClient, EgressRules),
    new: NewIdentityProvider,
    change: Change,
) -> Result<IdentityProvider> {
    let idps = IdentityProviders(ports.table.as_ref());
    if idps.find(change.app_id).await?.is_some() {
        return Err(Error::conflict(
            "identity_provider_exists",
            "The app has an identity provider; remove it before adding another.",
        ));
    }
    let audience = new.audience.map(check_audience).transpose()?;
    let found = discover_identity_provider(egress, &new.issuer).await?;
    let kind = new.kind.unwrap_or(found.kind);
    let claims = new.claims.apply(kind.suggested_claims())?;
    let now = ports.clock.now();
    let idp = IdentityProvider {
        id: IdentityProvider::id_of(change.app_id, &found.issuer),
        org_id: change.org_id,
        app_id: change.app_id,
        kind,
        endpoints: endpoints(&found),
        issuer: found.issuer,
        claims,
        audience,
        client: None,
        webhooks: BTreeMap::new(),
        first_sign_in_at: None,
        created_at: now,
        updated_at: now,
    };
    recorded(ports, about(EventKind::IdentityProviderAdded, &idp, change), idps.create(&idp)).await?;
    Ok(idp)
}

/// Changes how the app's users are told apart. Its issuer stays: another one is another identity provider.
pub async fn update_identity_provider(
    ports: &Ports,
    egress: (&dyn HttpClient, EgressRules),
    new: IdentityProviderChange,
    change: Change,
) -> Result<IdentityProvider> {
    let idps = IdentityProviders(ports.table.as_ref());
    let Stored { value: before, version } = idps.get(change.app_id).await?;
    let changes = [
        ("type", new.kind.is_some()),
        ("claims", new.claims != ClaimChange::default()),
        ("audience", new.audience.is_some()),
        ("endpoints", new.rediscover),
    ];
    let changed: Vec<&str> = changes.into_iter().filter_map(|(name, given)| given.then_some(name)).collect();
    if changed.is_empty() {
        return Err(Error::field("nothing_to_update", "Name at least one field to change."));
    }
    let claims = new.claims.apply(before.claims.clone())?;
    if claims != before.claims && before.claims_are_locked() {
        return Err(Error::conflict(
            "claims_locked",
            "Somebody has signed in: other claims would make other users of the same people.",
        ));
    }
    let audience = match new.audience {
        Some(audience) => audience.map(check_audience).transpose()?,
        None => before.audience.clone(),
    };
    let endpoints = match new.rediscover {
        true => moved(&before, egress).await?,
        false => before.endpoints.clone(),
    };
    let kind = new.kind.unwrap_or(before.kind);
    let updated_at = ports.clock.now();
    let value = IdentityProvider { kind, claims, audience, endpoints, updated_at, ..before };
    let mut subject = about(EventKind::IdentityProviderUpdated, &value, change);
    subject.detail.insert("changed".to_owned(), changed.join(" "));
    let updated = Stored { value, version };
    recorded(ports, subject, idps.update(&updated, None)).await?;
    Ok(updated.value)
}

/// Takes the app's identity provider away, with its secrets. Its users, and what was granted to them,
/// stay: their tokens are refused, and the app's key alone still reaches their grants by id.
pub async fn remove_identity_provider(ports: &Ports, change: Change) -> Result<IdentityProvider> {
    let idps = IdentityProviders(ports.table.as_ref());
    let found = idps.get(change.app_id).await?;
    let subject = about(EventKind::IdentityProviderRemoved, &found.value, change);
    recorded(ports, subject, idps.delete(&found)).await?;
    Ok(found.value)
}

impl ClaimChange {
    fn apply(self, old: ClaimNames) -> Result<ClaimNames> {
        let user_id = self.user_id.unwrap_or(old.user_id);
        let (groups, roles) = (self.groups.unwrap_or(old.groups), self.roles.unwrap_or(old.roles));
        ClaimNames::new(user_id, groups, roles)
            .map_err(|error| Error::field("invalid_claims", format!("Claims: {error}.")))
    }
}

/// Where the issuer answers now. A client secret stays with the address that it was given for.
async fn moved(idp: &IdentityProvider, egress: (&dyn HttpClient, EgressRules)) -> Result<IdpEndpoints> {
    let found = discover_identity_provider(egress, &idp.issuer).await?;
    // The same but for a slash at its end is another issuer to every token.
    if found.issuer != idp.issuer {
        return Err(refused(&DiscoveryError::OtherIssuer));
    }
    let endpoints = endpoints(&found);
    let has_secret = idp.client.as_ref().is_some_and(|client| client.secret.is_some());
    if has_secret && endpoints.token != idp.endpoints.token {
        return Err(Error::conflict(
            "client_secret_bound",
            "The stored client secret would go to another address than it was given for: remove the sign-in client first.",
        ));
    }
    Ok(endpoints)
}

fn endpoints(found: &Discovered) -> IdpEndpoints {
    IdpEndpoints {
        jwks_uri: found.jwks_uri.clone(),
        authorization: found.authorization_endpoint.clone(),
        token: found.token_endpoint.clone(),
        userinfo: found.userinfo_endpoint.clone(),
        end_session: found.end_session_endpoint.clone(),
        token_auth_methods: found.token_endpoint_auth_methods.clone(),
        names_itself: found.names_itself,
    }
}

fn check_audience(text: String) -> Result<String> {
    match (1..=MAX_AUDIENCE_BYTES).contains(&text.len()) && !text.contains(char::is_control) {
        true => Ok(text),
        false => Err(Error::field(
            "invalid_audience",
            format!("An audience has 1 to {MAX_AUDIENCE_BYTES} bytes, and no control characters."),
        )),
    }
}

/// Why an issuer is not taken, as a stable code. The reasons quote nothing of its documents.
fn refused(error: &DiscoveryError) -> Error {
    let code = match error {
        DiscoveryError::Issuer => "invalid_issuer",
        DiscoveryError::Document(_) | DiscoveryError::KeysUnreachable(_) => "issuer_unreachable",
        DiscoveryError::OtherIssuer => "issuer_mismatch",
        DiscoveryError::Malformed
        | DiscoveryError::Member(_)
        | DiscoveryError::Endpoint(..)
        | DiscoveryError::Algorithms
        | DiscoveryError::Keys(_) => "discovery_invalid",
    };
    Error::field(code, format!("The issuer is not taken: {error}."))
}

fn about(kind: EventKind, idp: &IdentityProvider, change: Change) -> Subject {
    let mut detail = BTreeMap::from([
        ("idp_id".to_owned(), idp.id.to_string()),
        ("issuer".to_owned(), idp.issuer.clone()),
        ("user_id_claim".to_owned(), idp.claims.user_id.clone()),
    ]);
    let client_id = idp.client_id().map(str::to_owned);
    let more = [
        ("groups_claim", idp.claims.groups.clone()),
        ("roles_claim", idp.claims.roles.clone()),
        ("audience", idp.audience.clone()),
        ("client_id", client_id),
    ];
    detail.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let Change { org_id, app_id, actor, surface } = change;
    Subject { kind, org_id, app_id: Some(app_id), actor, surface, grant: None, user_id: None, detail }
}
