//! The first run: an organization and an operator token to begin with.

use std::collections::BTreeMap;

use alter_api_types::{OrgId, PatId};

use super::{Subject, operators::draft_token_of, recorded};
use crate::{
    auth::key_text::{self, MintedKey},
    error::{Error, Result},
    model::{Actor, EventKind, Org, Permission, Surface, name},
    repo::{OperatorTokens, Orgs},
    secret::Secret,
    state::Ports,
};

/// What a fresh installation has.
#[derive(Debug)]
pub struct Installed {
    pub org_id: OrgId,
    pub token_id: PatId,
    /// The public beginning of the token.
    pub token_prefix: String,
    /// The operator token with every permission, this once.
    pub token: Secret<String>,
}

/// Sets up an empty installation; `None` if it was set up before. Of two processes at once one wins, and the other finds
/// it set up. `keep` is called before anything is written, so that a token which becomes valid has been put somewhere.
pub async fn install(
    ports: &Ports,
    org_name: &str,
    keep: impl FnOnce(&Installed) -> Result<()>,
) -> Result<Option<Installed>> {
    if Orgs(ports.table.as_ref()).installed().await?.is_some() {
        return Ok(None);
    }
    install_token(ports, org_name, key_text::mint_pat(ports.rng.as_ref())?, keep).await
}

/// The same with the token that `random` makes (see [`key_text::pat_from`]); it is asked for only when the installation is
/// empty. Whoever gave the characters has the token already, so nothing has to be kept.
pub async fn install_from(
    ports: &Ports,
    org_name: &str,
    random: impl Future<Output = Result<Secret<String>>>,
) -> Result<Option<Installed>> {
    if Orgs(ports.table.as_ref()).installed().await?.is_some() {
        return Ok(None);
    }
    let minted = key_text::pat_from(&random.await?).ok_or_else(|| {
        Error::Internal("what the first operator token is made of is not 48 letters and digits".to_owned())
    })?;
    install_token(ports, org_name, minted, |_| Ok(())).await
}

async fn install_token(
    ports: &Ports,
    org_name: &str,
    minted: MintedKey,
    keep: impl FnOnce(&Installed) -> Result<()>,
) -> Result<Option<Installed>> {
    let table = ports.table.as_ref();
    let org = Org { id: ports.new_id()?, name: name(org_name)?, created_at: ports.clock.now() };
    let (token, plain) =
        draft_token_of(ports, minted, org.id, "first operator".to_owned(), Permission::Admin, None)?;
    let installed = Installed {
        org_id: org.id,
        token_id: token.id,
        token_prefix: token.public_part.clone(),
        token: plain,
    };
    keep(&installed)?;
    let mut ops = Orgs::install(&org)?;
    ops.push(OperatorTokens::create(&token)?);
    let subject = Subject {
        kind: EventKind::OperatorTokenMinted,
        org_id: org.id,
        app_id: None,
        actor: Actor::of_vault(),
        surface: Surface::Portal,
        grant: None,
        user_id: None,
        detail: BTreeMap::from([
            ("organization".to_owned(), org.name.clone()),
            ("token_id".to_owned(), token.id.to_string()),
            ("name".to_owned(), token.name.clone()),
            ("permission".to_owned(), "admin".to_owned()),
        ]),
    };
    match recorded(ports, subject, async { Ok(table.transact(ops).await?) }).await {
        Ok(()) => Ok(Some(installed)),
        // Somebody was faster. Whatever else went wrong is told.
        Err(error) if Orgs(table).installed().await?.is_none() => Err(error),
        Err(_) => Ok(None),
    }
}
