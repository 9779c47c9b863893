//! API keys: minting, rotating, revoking.

use std::collections::BTreeMap;

use alter_api_types::{AppId, KeyId, OrgId};
use jiff::{SignedDuration, Timestamp};

use super::{Subject, agents::live_agent, recorded};
use crate::{
    auth::key_text,
    error::{Error, Result},
    keyspace,
    model::{Actor, ApiKey, EventKind, KeyHolder, KeyState, Scopes, Surface, name},
    port::{Expect, Item, Op, StoreError, TableName},
    repo::{ApiKeys, MAX_KEYS_PER_APP, Stored},
    secret::Secret,
    state::{Ports, Sealer},
};

/// How often a write is tried that lost against another writer to the same app's keys. Each loss is another's key made,
/// so this many losses end at the limit.
const ATTEMPTS: usize = MAX_KEYS_PER_APP + 1;

/// A key to be minted.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub name: String,
    pub holder: KeyHolder,
    pub scopes: Scopes,
    pub expires_at: Option<Timestamp>,
}

/// How a key is replaced.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// For how long the old key goes on working.
    pub grace: SignedDuration,
    /// `None`: the new key has the old one's.
    pub scopes: Option<Scopes>,
}

/// A key and its text, which exists nowhere else.
#[derive(Debug)]
pub struct FreshKey {
    pub key: ApiKey,
    pub plain: Secret<String>,
}

/// Mints a key, unless the app has [`MAX_KEYS_PER_APP`] that work.
pub async fn mint_key(
    ports: &Ports,
    sealer: &Sealer,
    (org_id, app_id): (OrgId, AppId),
    new: NewKey,
    actor: Actor,
    surface: Surface,
) -> Result<FreshKey> {
    let new = NewKey { name: name(&new.name)?, ..new };
    let (fresh, create) = draft_key(ports, sealer, (org_id, app_id), new).await?;
    let subject = about(EventKind::KeyMinted, &fresh.key, actor, surface);
    let change = async {
        for _ in 0..ATTEMPTS {
            let mut ops = room_for_one(ports, app_id, 0).await?;
            ops.extend(holder_check(ports, &fresh.key).await?);
            ops.extend(create.iter().cloned());
            match ports.table.transact(ops).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(Error::Throttled)
    };
    recorded(ports, subject, change).await?;
    Ok(fresh)
}

/// Puts a new key in the place of an active one, which goes on working for the grace period: same name, holder and
/// expiry. Both are written, or neither. Of two who rotate at once one wins.
pub async fn rotate_key(
    ports: &Ports,
    sealer: &Sealer,
    (org_id, app_id): (OrgId, AppId),
    id: KeyId,
    rotation: Rotation,
    actor: Actor,
    surface: Surface,
) -> Result<(FreshKey, ApiKey)> {
    let old = ApiKeys(ports.table.as_ref()).get(app_id, id).await?;
    let new = NewKey {
        name: old.value.name.clone(),
        holder: old.value.holder,
        scopes: rotation.scopes.unwrap_or_else(|| old.value.scopes.clone()),
        expires_at: old.value.expires_at,
    };
    let (fresh, create) = draft_key(ports, sealer, (org_id, app_id), new).await?;
    let now = ports.clock.now();
    let replaced: Stored<ApiKey> = old.try_map(|key| {
        key.rotate(fresh.key.id, now, rotation.grace).map_err(|error| match error {
            Error::KeyRevoked | Error::KeyExpired | Error::KeyRotatedGraceExpired => not_active(),
            other => other,
        })
    })?;
    let mut subject = about(EventKind::KeyRotated, &replaced.value, actor, surface);
    subject.detail.insert("successor_key_id".to_owned(), fresh.key.id.to_string());
    subject.detail.insert("successor_key_prefix".to_owned(), fresh.key.public_part.clone());
    subject.detail.insert("grace_seconds".to_owned(), rotation.grace.as_secs().to_string());
    let change = async {
        let freed = usize::from(replaced.value.usable(now).is_err());
        for _ in 0..ATTEMPTS {
            let mut ops = room_for_one(ports, app_id, freed).await?;
            ops.extend(holder_check(ports, &fresh.key).await?);
            ops.extend(create.iter().cloned());
            ops.push(ApiKeys::update(&replaced)?);
            match ports.table.transact(ops).await {
                Ok(()) => return Ok(()),
                // Another key of the app was written: try again. This one was: it is another's now.
                Err(StoreError::Conflict) => {
                    let current = ApiKeys(ports.table.as_ref()).get(app_id, id).await?;
                    if current.version != replaced.version {
                        return Err(not_active());
                    }
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(Error::Throttled)
    };
    recorded(ports, subject, change).await?;
    Ok((fresh, replaced.value))
}

/// Ends a key, also in its grace period; the very next call with it fails.
pub async fn revoke_key(
    ports: &Ports,
    (org_id, app_id): (OrgId, AppId),
    id: KeyId,
    actor: Actor,
    surface: Surface,
) -> Result<ApiKey> {
    let keys = ApiKeys(ports.table.as_ref());
    // A rotation at the same moment changes the key under us: it must not save the key from being revoked.
    for _ in 0..ATTEMPTS {
        let found = keys.get(app_id, id).await?;
        if found.value.org_id != org_id {
            return Err(Error::NotFound("key"));
        }
        let revoked = found.try_map(|key| key.revoke(ports.clock.now()))?;
        let subject = about(EventKind::KeyRevoked, &revoked.value, actor.clone(), surface);
        match recorded(ports, subject, async { keys.save(&revoked).await.map(drop) }).await {
            Ok(()) => return Ok(revoked.value),
            Err(Error::Conflict { code: "concurrent_update", .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Err(Error::Throttled)
}

/// As [`revoke_key`], for a key that may have been revoked already.
pub(super) async fn revoke_key_if_live(
    ports: &Ports,
    app: (OrgId, AppId),
    id: KeyId,
    actor: Actor,
    surface: Surface,
) -> Result<()> {
    match revoke_key(ports, app, id, actor, surface).await {
        Ok(_) | Err(Error::Conflict { code: "key_revoked", .. }) => Ok(()),
        Err(other) => Err(other),
    }
}

/// A fresh key, and the writes that create it.
async fn draft_key(
    ports: &Ports,
    sealer: &Sealer,
    (org_id, app_id): (OrgId, AppId),
    new: NewKey,
) -> Result<(FreshKey, Vec<Op>)> {
    let minted = match new.holder {
        KeyHolder::App => key_text::mint_app_key(ports.rng.as_ref())?,
        KeyHolder::Agent { agent_id } => {
            live_agent(ports, app_id, agent_id).await?;
            key_text::mint_agent_key(ports.rng.as_ref())?
        }
    };
    let key = ApiKey {
        id: ports.new_id()?,
        app_id,
        org_id,
        public_part: minted.public_part.into(),
        digest: hex::encode(minted.digest),
        name: new.name,
        holder: new.holder,
        scopes: new.scopes,
        expires_at: new.expires_at,
        state: KeyState::Active,
        created_at: ports.clock.now(),
    };
    let signing_key = sealer.seal_signing_key(ports, &key, &minted.plain).await?;
    let ops = ApiKeys::create(&key, &signing_key)?;
    Ok((FreshKey { key, plain: minted.plain }, ops))
}

/// Counts the app's keys that work and, if one more may be added, gives the write that keeps others from adding one on
/// the same count. `freed`: how many of the counted keys stop working with this very write.
async fn room_for_one(ports: &Ports, app_id: AppId, freed: usize) -> Result<Vec<Op>> {
    let quota = keyspace::key_quota(app_id);
    let version = ports.table.get(TableName::Main, &quota).await?.map(|item| item.version);
    let now = ports.clock.now();
    let (mut live, mut cursor) = (0, None);
    loop {
        let page = ApiKeys(ports.table.as_ref()).list(app_id, 1000, cursor).await?;
        live += page.items.iter().filter(|key| key.usable(now).is_ok()).count();
        if page.next.is_none() {
            break;
        }
        cursor = page.next;
    }
    if live.saturating_sub(freed) >= MAX_KEYS_PER_APP {
        return Err(Error::conflict(
            "key_limit_reached",
            format!("The app has {MAX_KEYS_PER_APP} keys that work; revoke one first."),
        ));
    }
    let expect = version.map_or(Expect::Absent, Expect::Version);
    Ok(vec![Op::Put { table: TableName::Main, item: Item::new(quota, ""), expect }])
}

/// Holds the agent of an agent's key: it must not be revoked while its key is made.
async fn holder_check(ports: &Ports, key: &ApiKey) -> Result<Option<Op>> {
    let KeyHolder::Agent { agent_id } = key.holder else { return Ok(None) };
    let version = live_agent(ports, key.app_id, agent_id).await?.version;
    let expect = Expect::Version(version);
    Ok(Some(Op::Check { table: TableName::Main, key: keyspace::agent(agent_id), expect }))
}

fn not_active() -> Error {
    Error::conflict("key_not_active", "Only an active key can be rotated.")
}

fn about(kind: EventKind, key: &ApiKey, actor: Actor, surface: Surface) -> Subject {
    let mut detail = BTreeMap::from([
        ("key_id".to_owned(), key.id.to_string()),
        ("key_prefix".to_owned(), key.public_part.clone()),
        ("name".to_owned(), key.name.clone()),
        ("scopes".to_owned(), key.scopes.to_texts().join(" ")),
    ]);
    if let KeyHolder::Agent { agent_id } = key.holder {
        detail.insert("agent_id".to_owned(), agent_id.to_string());
    }
    Subject {
        kind,
        org_id: key.org_id,
        app_id: Some(key.app_id),
        actor,
        surface,
        grant: None,
        user_id: None,
        detail,
    }
}
