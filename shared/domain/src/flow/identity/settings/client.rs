//! The vault's own registration at an app's identity provider, by which people sign in.

use super::about;
use crate::{
    error::{Error, Result},
    flow::{Change, provider_rules::check_client_id, providers::seal, recorded},
    inject::CredentialFields,
    model::{EventKind, IdentityProvider, SignInClient, WebhookKind},
    repo::{Credentials, IdentityProviders, Stored},
    secret::Secret,
    state::{Ports, Sealer},
};

/// Keeps the registration, the whole of it: a client id never goes with a secret that was given for another. Without a secret
/// the client is public, and one that was stored is deleted.
pub async fn set_sign_in_client(
    ports: &Ports,
    sealer: &Sealer,
    (client_id, secret): (&str, Option<Secret<String>>),
    change: Change,
) -> Result<IdentityProvider> {
    let idps = IdentityProviders(ports.table.as_ref());
    let found = idps.get(change.app_id).await?;
    let client_id = check_client_id(client_id)?;
    let old = found.value.client.as_ref().and_then(|client| client.secret);
    let (secret, op) = match secret {
        Some(secret) => {
            let fields = CredentialFields::from_pairs([("client_secret".to_owned(), secret)], &[])
                .map_err(|error| Error::field("invalid_client_secret", format!("Credential: {error}.")))?;
            let (secret, sealed) = seal(ports, sealer, &change, old, &fields).await?;
            (Some(secret), Some(Credentials::overwrite(&sealed)?))
        }
        None => (None, old.map(|old| Credentials::delete(old.credential_id))),
    };
    let now = ports.clock.now();
    let client = Some(SignInClient { client_id, secret });
    let updated = found.try_map(|idp| Ok(IdentityProvider { client, updated_at: now, ..idp }))?;
    let mut subject = about(EventKind::IdentityProviderUpdated, &updated.value, change);
    subject.detail.insert("changed".to_owned(), "client".to_owned());
    recorded(ports, subject, idps.update(&updated, op)).await?;
    Ok(updated.value)
}

/// Ends sign-in through the vault; tokens that the app brings go on working.
pub async fn remove_sign_in_client(ports: &Ports, change: Change) -> Result<IdentityProvider> {
    let idps = IdentityProviders(ports.table.as_ref());
    let Stored { value: before, version } = idps.get(change.app_id).await?;
    if before.webhooks.contains_key(&WebhookKind::BackchannelLogout) {
        return Err(Error::conflict(
            "sign_in_client_in_use",
            "Back-channel logout is told to this client: switch that webhook off first.",
        ));
    }
    let Some(client) = before.client.clone() else { return Err(Error::NotFound("sign-in client")) };
    let op = client.secret.map(|secret| Credentials::delete(secret.credential_id));
    let mut subject = about(EventKind::IdentityProviderUpdated, &before, change);
    subject.detail.insert("changed".to_owned(), "client".to_owned());
    let value = IdentityProvider { client: None, updated_at: ports.clock.now(), ..before };
    let updated = Stored { value, version };
    recorded(ports, subject, idps.update(&updated, op)).await?;
    Ok(updated.value)
}
