//! Operator tokens: who administers, minting and revoking.

use std::{collections::BTreeMap, net::IpAddr};

use alter_api_types::{OrgId, PatId};
use jiff::Timestamp;

use super::{Subject, recorded};
use crate::{
    auth::key_text::{self, KeyKind, MintedKey},
    error::{Error, Result},
    model::{Actor, ActorKind, EventKind, OperatorToken, Permission, Surface, name},
    repo::OperatorTokens,
    secret::Secret,
    state::Ports,
};

/// A token to be minted.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub name: String,
    pub permission: Permission,
    pub expires_at: Option<Timestamp>,
}

/// A token and its text, which exists nowhere else.
#[derive(Debug)]
pub struct FreshToken {
    pub token: OperatorToken,
    pub plain: Secret<String>,
}

/// The token behind a bearer text. What is unknown, revoked, expired or no token at all answers alike.
pub async fn authenticate_operator(ports: &Ports, bearer: &str) -> Result<OperatorToken> {
    let presented = key_text::parse(bearer).filter(|parsed| parsed.kind == KeyKind::Pat);
    let presented = presented.ok_or(Error::InvalidOperatorToken)?;
    let tokens = OperatorTokens(ports.table.as_ref());
    let token = tokens
        .find_by_public_part(presented.public_part.as_str())
        .await?
        .ok_or(Error::InvalidOperatorToken)?;
    let mut stored = [0u8; 32];
    let readable = hex::decode_to_slice(&token.digest, &mut stored).is_ok();
    if !readable || !key_text::digest_eq(&presented.digest, &stored) {
        return Err(Error::InvalidOperatorToken);
    }
    token.usable(ports.clock.now())?;
    Ok(token)
}

/// The operator as the record names it.
pub fn operator_actor(token: &OperatorToken, ip: Option<IpAddr>) -> Actor {
    Actor {
        kind: ActorKind::Operator,
        token_id: Some(token.id),
        ip: ip.map(|ip| ip.to_string()),
        ..Actor::of_vault()
    }
}

/// Mints a token of at most the permission of `by`.
pub async fn mint_operator_token(
    ports: &Ports,
    by: &OperatorToken,
    new: NewToken,
    actor: Actor,
    surface: Surface,
) -> Result<FreshToken> {
    by.require(new.permission)?;
    let (token, plain) = draft_token(ports, by.org_id, name(&new.name)?, new.permission, new.expires_at)?;
    let op = OperatorTokens::create(&token)?;
    let subject = about(EventKind::OperatorTokenMinted, &token, actor, surface);
    recorded(ports, subject, async { Ok(ports.table.transact(vec![op]).await?) }).await?;
    Ok(FreshToken { token, plain })
}

/// Ends a token; it may be the one that asks.
pub async fn revoke_operator_token(
    ports: &Ports,
    org_id: OrgId,
    id: PatId,
    actor: Actor,
    surface: Surface,
) -> Result<OperatorToken> {
    let tokens = OperatorTokens(ports.table.as_ref());
    let revoked = tokens.get(org_id, id).await?.try_map(|token| token.revoke(ports.clock.now()))?;
    let subject = about(EventKind::OperatorTokenRevoked, &revoked.value, actor, surface);
    recorded(ports, subject, tokens.save(&revoked)).await?;
    Ok(revoked.value)
}

fn draft_token(
    ports: &Ports,
    org_id: OrgId,
    name: String,
    permission: Permission,
    expires_at: Option<Timestamp>,
) -> Result<(OperatorToken, Secret<String>)> {
    draft_token_of(ports, key_text::mint_pat(ports.rng.as_ref())?, org_id, name, permission, expires_at)
}

pub(super) fn draft_token_of(
    ports: &Ports,
    minted: MintedKey,
    org_id: OrgId,
    name: String,
    permission: Permission,
    expires_at: Option<Timestamp>,
) -> Result<(OperatorToken, Secret<String>)> {
    let token = OperatorToken {
        id: ports.new_id()?,
        org_id,
        public_part: minted.public_part.into(),
        digest: hex::encode(minted.digest),
        name,
        permission,
        expires_at,
        revoked_at: None,
        created_at: ports.clock.now(),
    };
    Ok((token, minted.plain))
}

fn about(kind: EventKind, token: &OperatorToken, actor: Actor, surface: Surface) -> Subject {
    let permission = format!("{:?}", token.permission).to_lowercase();
    let detail = BTreeMap::from([
        ("token_id".to_owned(), token.id.to_string()),
        ("name".to_owned(), token.name.clone()),
        ("permission".to_owned(), permission),
    ]);
    Subject { kind, org_id: token.org_id, app_id: None, actor, surface, grant: None, user_id: None, detail }
}
