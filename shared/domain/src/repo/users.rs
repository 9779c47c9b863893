//! Users, their memberships in apps, and what is known of people who have left.

use alter_api_types::{AppId, IdpId, OrgId, UserId};
use jiff::{SignedDuration, Timestamp};

use super::{Listed, Stored, decode, decode_stored, encode, list_page};
use crate::{
    error::{Error, Result},
    keyspace,
    model::{Deprovision, Membership, User, identity_provider::hash},
    port::{Expect, Index, Item, Op, Query, Table, TableName, Version},
};

/// How long an event that was acted on is remembered. A delivery that is repeated later is refused for its age, or changes
/// nothing because of what it says.
const EVENT_KEPT: SignedDuration = SignedDuration::from_hours(8 * 24);

pub struct Users<'a>(pub &'a dyn Table);

impl Users<'_> {
    pub async fn find(&self, id: UserId) -> Result<Option<Stored<User>>> {
        let item = self.0.get(TableName::Main, &keyspace::user(id)).await?;
        item.as_ref().map(decode_stored).transpose()
    }

    /// A user of the organization's.
    pub async fn get(&self, org: OrgId, id: UserId) -> Result<Stored<User>> {
        let found = self.find(id).await?;
        found.filter(|user| user.value.org_id == org).ok_or(Error::NotFound("user"))
    }

    /// The users whom an issuer calls by this `sub`. From an index: whoever changes one reads it again.
    pub async fn of_sub(&self, org: OrgId, issuer: &str, sub: &str) -> Result<Vec<UserId>> {
        let partition = keyspace::users_of_sub(org, issuer, sub);
        let query = Query::partition(TableName::Main, partition).index(Index::First).limit(100);
        let page: Listed<User> = list_page(self.0, &query).await?;
        Ok(page.items.into_iter().map(|user| user.id).collect())
    }

    /// The write that makes a user known.
    pub fn create_op(user: &User) -> Result<Op> {
        Ok(Op::Put { table: TableName::Main, item: Self::item(user)?, expect: Expect::Absent })
    }

    /// The write of a user against the version that was read.
    pub fn put(user: &Stored<User>) -> Result<Op> {
        let expect = Expect::Version(user.version);
        Ok(Op::Put { table: TableName::Main, item: Self::item(&user.value)?, expect })
    }

    /// A condition of a transaction: the user is as they were when they were found to be admitted.
    pub fn check(id: UserId, version: Version) -> Op {
        Op::Check { table: TableName::Main, key: keyspace::user(id), expect: Expect::Version(version) }
    }

    pub async fn membership(&self, user: UserId, app: AppId) -> Result<Option<Stored<Membership>>> {
        let item = self.0.get(TableName::Main, &keyspace::membership(user, app)).await?;
        item.as_ref().map(decode_stored).transpose()
    }

    /// All of a user's memberships: one for each app that they were seen in.
    pub async fn memberships(&self, user: UserId) -> Result<Vec<Stored<Membership>>> {
        let mut query = Query::partition(TableName::Main, keyspace::memberships(user)).limit(1000);
        let mut all = Vec::new();
        loop {
            let page = self.0.query(&query).await?;
            for item in &page.items {
                all.push(decode_stored(item)?);
            }
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// One page of an app's members, newest first. From an index.
    pub async fn members(
        &self,
        app: AppId,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listed<Membership>> {
        let query =
            Query::partition(TableName::Main, keyspace::app_users(app)).index(Index::First).descending();
        list_page(self.0, &query.limit(limit).cursor(cursor)).await
    }

    /// Those of the users that exist, in no order. At most 100.
    pub async fn get_many(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let keys: Vec<_> = ids.iter().map(|id| (TableName::Main, keyspace::user(*id))).collect();
        self.0.get_many(&keys).await?.iter().flatten().map(decode).collect()
    }

    pub fn create_membership_op(membership: &Membership) -> Result<Op> {
        let item = Self::membership_item(membership)?;
        Ok(Op::Put { table: TableName::Main, item, expect: Expect::Absent })
    }

    pub fn put_membership(membership: &Stored<Membership>) -> Result<Op> {
        let item = Self::membership_item(&membership.value)?;
        Ok(Op::Put { table: TableName::Main, item, expect: Expect::Version(membership.version) })
    }

    /// When somebody left whom the vault did not know.
    pub async fn departed(&self, org: OrgId, issuer: &str, sub: &str) -> Result<Option<Timestamp>> {
        let item = self.0.get(TableName::Main, &keyspace::departed(org, issuer, sub)).await?;
        item.as_ref().map(decode).transpose()
    }

    /// The write that remembers it.
    pub fn note_departed_op(org: OrgId, issuer: &str, sub: &str, at: Timestamp) -> Result<Op> {
        let item = Item::new(keyspace::departed(org, issuer, sub), encode(&at)?);
        Ok(Op::Put { table: TableName::Main, item, expect: Expect::Any })
    }

    /// A condition of a transaction: nobody has said that they left.
    pub fn check_not_departed(org: OrgId, issuer: &str, sub: &str) -> Op {
        let key = keyspace::departed(org, issuer, sub);
        Op::Check { table: TableName::Main, key, expect: Expect::Absent }
    }

    /// Whether an event was acted on.
    pub async fn knows_event(&self, idp: IdpId, event: &str) -> Result<bool> {
        let key = keyspace::idp_event(idp, &digest(event));
        Ok(self.0.get(TableName::Main, &key).await?.is_some())
    }

    /// The write that goes with acting on an event: a second one fails. An expired note counts until it is collected.
    pub fn event_op(idp: IdpId, event: &str, now: Timestamp) -> Result<Op> {
        let until = now.as_second().saturating_add(EVENT_KEPT.as_secs());
        let item =
            Item::new(keyspace::idp_event(idp, &digest(event)), encode(&now)?).with_expiry(Some(until));
        Ok(Op::Put { table: TableName::Main, item, expect: Expect::Absent })
    }

    fn item(user: &User) -> Result<Item> {
        let of_sub = keyspace::user_of_sub(user.org_id, &user.identity.issuer, &user.sub, user.id);
        Ok(Item::new(keyspace::user(user.id), encode(user)?).with_index(Index::First, of_sub))
    }

    fn membership_item(membership: &Membership) -> Result<Item> {
        let Membership { user_id, app_id, created_at, .. } = *membership;
        let item = Item::new(keyspace::membership(user_id, app_id), encode(membership)?);
        Ok(item.with_index(Index::First, keyspace::app_user(app_id, created_at, user_id)))
    }
}

/// Event ids are texts from outside, of any length and content.
fn digest(event: &str) -> String {
    hex::encode(hash(&[event.as_bytes()]))
}

/// Departures whose grants have still to be ended.
pub struct Deprovisions<'a>(pub &'a dyn Table);

impl Deprovisions<'_> {
    pub async fn find(&self, user: UserId) -> Result<Option<Stored<Deprovision>>> {
        let item = self.0.get(TableName::Main, &keyspace::deprovision(user)).await?;
        item.as_ref().map(decode_stored).transpose()
    }

    /// The write that goes with a departure. A task that is there already starts over.
    pub fn create_op(task: &Deprovision) -> Result<Op> {
        Ok(Op::Put { table: TableName::Main, item: Self::item(task)?, expect: Expect::Any })
    }

    /// Writes the task's progress. Whoever writes first has it.
    pub async fn update(&self, task: &Stored<Deprovision>) -> Result<Version> {
        let expect = Expect::Version(task.version);
        Ok(self.0.put(TableName::Main, Self::item(&task.value)?, expect).await?)
    }

    /// The write that forgets a task, against the version that was read.
    pub fn finish_op(task: &Stored<Deprovision>) -> Op {
        let key = keyspace::deprovision(task.value.user_id);
        Op::Delete { table: TableName::Main, key, expect: Expect::Version(task.version) }
    }

    /// Users whose task is due, oldest first, at most `limit` per shard. From an index: whoever takes one reads it again.
    pub async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<UserId>> {
        let mut due = Vec::new();
        for shard in 0..keyspace::DUE_SHARDS {
            let mut query = Query::partition(TableName::Main, keyspace::deprovisions_due(shard))
                .index(Index::First)
                .limit(limit);
            query.before = Some(keyspace::due_before(now));
            for item in self.0.query(&query).await?.items {
                due.push(decode::<Deprovision>(&item)?.user_id);
            }
        }
        Ok(due)
    }

    fn item(task: &Deprovision) -> Result<Item> {
        let item = Item::new(keyspace::deprovision(task.user_id), encode(task)?);
        Ok(item.with_index(Index::First, keyspace::deprovision_due(task.due_at, task.user_id)))
    }
}
