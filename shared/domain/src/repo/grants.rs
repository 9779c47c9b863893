//! Grants: by id, by app, by managed secret, by principal.

use alter_api_types::{AppId, ConnectionId, GrantId, SecretId};
use jiff::Timestamp;

use super::{Listed, Stored, Users, decode, decode_stored, encode, list_page};
use crate::{
    error::{Error, Result},
    keyspace,
    model::{Grant, GrantSource, GrantStatus, Principal, PrincipalType},
    port::{Expect, Index, Item, Op, Page, Query, StoreError, Table, TableName},
};

/// A listing by offset reads at most this many grants; what lies beyond is said to be truncated.
pub const MAX_LISTED: usize = 10_000;
/// A page by cursor reads about this many grants at most to find those that match.
const MAX_SCANNED: usize = 5_000;

/// Which principal's grants a list is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalFilter {
    Any,
    Kind(PrincipalType),
    Exactly(Principal),
}

/// All conditions hold at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantFilter {
    pub provider_id: Option<String>,
    pub status: Option<GrantStatus>,
    pub label: Option<String>,
    pub principal: PrincipalFilter,
}

impl GrantFilter {
    pub fn all() -> Self {
        Self { provider_id: None, status: None, label: None, principal: PrincipalFilter::Any }
    }

    fn admits(&self, grant: &Grant, now: Timestamp) -> bool {
        let principal = match &self.principal {
            PrincipalFilter::Any => true,
            PrincipalFilter::Kind(kind) => grant.principal.kind() == *kind,
            PrincipalFilter::Exactly(principal) => grant.principal == *principal,
        };
        principal
            && self.provider_id.as_ref().is_none_or(|id| *id == grant.provider_id)
            && self.status.is_none_or(|status| grant.status(now) == status)
            && self.label.as_ref().is_none_or(|label| grant.label.as_ref() == Some(label))
    }
}

/// A slice of a list by offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub grants: Vec<Grant>,
    /// How many match, counted up to [`MAX_LISTED`] grants read.
    pub total: usize,
    pub truncated: bool,
}

pub struct Grants<'a>(pub &'a dyn Table);

impl Grants<'_> {
    /// The grant, if it is one of the app's; another app's does not exist.
    pub async fn get(&self, app: AppId, id: GrantId) -> Result<Stored<Grant>> {
        let found = self.find(id).await?;
        found.filter(|grant| grant.value.app_id == app).ok_or_else(Error::grant_not_found)
    }

    /// The grant of whatever app: whose it is is the caller's to ask.
    pub async fn find(&self, id: GrantId) -> Result<Option<Stored<Grant>>> {
        let item = self.0.get(TableName::Main, &keyspace::grant(id)).await?;
        item.as_ref().map(decode_stored).transpose()
    }

    /// Creates a grant on a managed secret and takes its label among its siblings, or neither. The secret must still be there. Its slug
    /// tells: it lives as long and is never written again, so that replacing the value meanwhile is no conflict. `admitted` is a
    /// condition on whom the grant is for; a user without one is nobody whom the app's organization knows.
    pub async fn create(&self, grant: &Grant, admitted: Option<Op>) -> Result<()> {
        let slug = keyspace::secret_slug(grant.app_id, &grant.provider_id);
        let item = self.0.get(TableName::Main, &slug).await?.ok_or(Error::NotFound("managed secret"))?;
        if Some(decode::<SecretId>(&item)?) != grant.source.secret_id() {
            return Err(Error::NotFound("managed secret"));
        }
        let mut ops = Self::ops_of(grant, admitted.is_some())?;
        ops.push(Op::Check { table: TableName::Main, key: slug, expect: Expect::Version(item.version) });
        ops.extend(admitted);
        match (self.0.transact(ops).await, &grant.label) {
            (Ok(()), _) => Ok(()),
            (Err(StoreError::Conflict), Some(label)) if self.label_taken(grant, label).await? => {
                Err(Error::SiblingLabelConflict { label: label.clone() })
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    async fn label_taken(&self, grant: &Grant, label: &str) -> Result<bool> {
        let key = keyspace::grant_label(grant.credential_id, label);
        Ok(self.0.get(TableName::Main, &key).await?.is_some())
    }

    /// The writes that create a grant and take its label, and by which a user's Wallet finds it; whoever transacts them answers for
    /// the secret being there.
    pub fn create_ops(grant: &Grant) -> Result<Vec<Op>> {
        Self::ops_of(grant, true)
    }

    /// The same. Into the Wallet of a user whom the app's organization does not know, an app writes nothing: it may be somebody else's.
    pub(super) fn ops_of(grant: &Grant, is_known: bool) -> Result<Vec<Op>> {
        let mut ops =
            vec![Op::Put { table: TableName::Main, item: Self::item(grant)?, expect: Expect::Absent }];
        if let Some(label) = &grant.label {
            let item = Item::new(keyspace::grant_label(grant.credential_id, label), encode(&grant.id)?);
            ops.push(Op::Put { table: TableName::Main, item, expect: Expect::Absent });
        }
        if let (Principal::User { user_id }, true) = (&grant.principal, is_known) {
            ops.push(Users::reach_op(*user_id, grant.app_id)?);
        }
        ops.extend(Self::end_op(grant)?);
        Ok(ops)
    }

    /// Writes a grant's new state; a revoked grant gives its label back.
    pub async fn update(&self, grant: &Stored<Grant>, now: Timestamp) -> Result<()> {
        Ok(self.0.transact(Self::update_ops(grant, now)?).await?)
    }

    /// The writes of [`Self::update`].
    pub fn update_ops(grant: &Stored<Grant>, now: Timestamp) -> Result<Vec<Op>> {
        let expect = Expect::Version(grant.version);
        let mut ops = vec![Op::Put { table: TableName::Main, item: Self::item(&grant.value)?, expect }];
        if let (Some(label), GrantStatus::Revoked) = (&grant.value.label, grant.value.status(now)) {
            let key = keyspace::grant_label(grant.value.credential_id, label);
            ops.push(Op::Delete { table: TableName::Main, key, expect: Expect::Any });
        }
        ops.extend(Self::end_op(&grant.value)?);
        Ok(ops)
    }

    /// Apps and ids of grants that it is time to revoke because they have expired, oldest first, at most `limit` per shard. The
    /// list may name a grant too early or in vain: whoever takes one reads it, and then writes or forgets the note.
    pub async fn ends_due(&self, now: Timestamp, limit: usize) -> Result<Vec<(AppId, GrantId)>> {
        let mut due = Vec::new();
        for shard in 0..keyspace::DUE_SHARDS {
            let mut query = Query::partition(TableName::Main, keyspace::grant_ends(shard))
                .index(Index::First)
                .limit(limit);
            query.before = Some(keyspace::due_before(now));
            for item in self.0.query(&query).await?.items {
                due.push(decode(&item)?);
            }
        }
        Ok(due)
    }

    /// Notes anew when the grant, as it was read, is to be revoked, or forgets it.
    pub async fn note_end(&self, grant: &Stored<Grant>) -> Result<()> {
        let expect = Expect::Version(grant.version);
        let grant = &grant.value;
        let as_read = Op::Check { table: TableName::Main, key: keyspace::grant(grant.id), expect };
        let forget =
            || Op::Delete { table: TableName::Main, key: keyspace::grant_end(grant.id), expect: Expect::Any };
        Ok(self.0.transact(vec![as_read, Self::end_op(grant)?.unwrap_or_else(forget)]).await?)
    }

    fn end_op(grant: &Grant) -> Result<Option<Op>> {
        let Some(at) = grant.ends_at() else { return Ok(None) };
        let item = Item::new(keyspace::grant_end(grant.id), encode(&(grant.app_id, grant.id))?)
            .with_index(Index::First, keyspace::grant_ends_at(at, grant.id));
        Ok(Some(Op::Put { table: TableName::Main, item, expect: Expect::Any }))
    }

    /// One page of an app's grants, newest first.
    pub async fn list(&self, app: AppId, limit: usize, cursor: Option<String>) -> Result<Listed<Grant>> {
        let query =
            Query::partition(TableName::Main, keyspace::app_grants(app)).index(Index::First).descending();
        list_page(self.0, &query.limit(limit).cursor(cursor)).await
    }

    /// One page of the app's grants that match: newest first, those of one principal grouped by provider. It may be
    /// shorter than `limit` although more follow, because a page reads a bounded number of grants.
    pub async fn page(
        &self,
        app: AppId,
        filter: &GrantFilter,
        now: Timestamp,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listed<Grant>> {
        let mut query = match &filter.principal {
            PrincipalFilter::Exactly(principal) => {
                Query::partition(TableName::Main, keyspace::principal_grants(app, principal))
                    .index(Index::Third)
            }
            _ => Query::partition(TableName::Main, keyspace::app_grants(app)).index(Index::First),
        }
        .descending()
        .cursor(cursor);
        let mut items = Vec::new();
        let mut read = 0;
        loop {
            // Never more than there is room for: the cursor stands behind what was read, not behind what was kept.
            query.limit = limit - items.len();
            let page: Listed<Grant> = list_page(self.0, &query).await?;
            read += page.items.len();
            items.extend(page.items.into_iter().filter(|grant| filter.admits(grant, now)));
            if page.next.is_none() || items.len() >= limit || read >= MAX_SCANNED {
                return Ok(Listed { items, next: page.next });
            }
            query.cursor = page.next;
        }
    }

    /// The grants of a managed secret, one page, newest first.
    pub async fn list_of_secret(
        &self,
        secret: SecretId,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listed<Grant>> {
        let query = Query::partition(TableName::Main, keyspace::secret_grants(secret))
            .index(Index::Second)
            .descending();
        list_page(self.0, &query.limit(limit).cursor(cursor)).await
    }

    /// The grants of a managed secret that fit, newest first, from at most so many pages of a thousand and until there are `enough`;
    /// and whether nothing that might matter was left unread.
    pub async fn search_of_secret(
        &self,
        secret: SecretId,
        (pages, enough): (usize, usize),
        fits: impl Fn(&Grant) -> bool,
    ) -> Result<(Vec<Grant>, bool)> {
        let (mut grants, mut cursor) = (Vec::new(), None);
        for _ in 0..pages {
            let page = self.list_of_secret(secret, 1000, cursor).await?;
            grants.extend(page.items.into_iter().filter(&fits));
            cursor = page.next;
            if cursor.is_none() || grants.len() >= enough {
                return Ok((grants, true));
            }
        }
        Ok((grants, false))
    }

    /// The grants of a connection, one page, newest first.
    pub async fn list_of_connection(
        &self,
        connection: ConnectionId,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listed<Grant>> {
        let query = Query::partition(TableName::Main, keyspace::connection_grants(connection))
            .index(Index::Second)
            .descending();
        list_page(self.0, &query.limit(limit).cursor(cursor)).await
    }

    /// A slice by offset of the app's grants that match, newest first.
    pub async fn search(
        &self,
        app: AppId,
        filter: &GrantFilter,
        now: Timestamp,
        (offset, limit): (usize, usize),
    ) -> Result<Listing> {
        let mut query = match &filter.principal {
            PrincipalFilter::Exactly(principal) => {
                Query::partition(TableName::Main, keyspace::principal_grants(app, principal))
                    .index(Index::Third)
            }
            _ => Query::partition(TableName::Main, keyspace::app_grants(app)).index(Index::First),
        }
        .descending()
        .limit(1000);
        let mut listing = Listing { grants: Vec::new(), total: 0, truncated: false };
        let mut read = 0;
        loop {
            let Page { items, next } = self.0.query(&query).await?;
            for item in &items {
                read += 1;
                let grant: Grant = decode(item)?;
                if !filter.admits(&grant, now) {
                    continue;
                }
                if listing.total >= offset && listing.grants.len() < limit {
                    listing.grants.push(grant);
                }
                listing.total += 1;
            }
            match next {
                Some(_) if read >= MAX_LISTED => {
                    listing.truncated = true;
                    return Ok(listing);
                }
                Some(next) => query.cursor = Some(next),
                None => return Ok(listing),
            }
        }
    }

    /// The ids of a principal's grants on one provider, from the index: whoever uses one reads it again by id.
    pub async fn find_by_provider(
        &self,
        app: AppId,
        principal: &Principal,
        provider_id: &str,
    ) -> Result<Vec<Grant>> {
        let mut query = Query::partition(TableName::Main, keyspace::principal_grants(app, principal))
            .index(Index::Third)
            .sort_prefix(&keyspace::provider_prefix(provider_id))
            .limit(1000);
        let mut grants = Vec::new();
        loop {
            let Page { items, next } = self.0.query(&query).await?;
            for item in &items {
                grants.push(decode(item)?);
            }
            match next {
                Some(next) if grants.len() < MAX_LISTED => query.cursor = Some(next),
                _ => return Ok(grants),
            }
        }
    }

    fn item(grant: &Grant) -> Result<Item> {
        let third = keyspace::principal_grant(grant.app_id, &grant.principal, &grant.provider_id, grant.id);
        let second = match grant.source {
            GrantSource::ManagedSecret { secret_id } => keyspace::secret_grant(secret_id, grant.id),
            GrantSource::OAuth { connection_id } => keyspace::connection_grant(connection_id, grant.id),
        };
        Ok(Item::new(keyspace::grant(grant.id), encode(grant)?)
            .with_index(Index::First, keyspace::app_grant(grant.app_id, grant.id))
            .with_index(Index::Second, second)
            .with_index(Index::Third, third))
    }
}
