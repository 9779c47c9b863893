//! Users, their memberships in apps, and what is told of people.

use alter_api_types::{AppId, IdpId, OrgId, UserId};
use jiff::{SignedDuration, Timestamp};

use super::{Listed, Stored, decode, decode_stored, encode, list_page};
use crate::{
    error::{Error, Result},
    keyspace,
    model::{Deprovision, Left, Membership, Notice, User, identity_provider::hash},
    port::{Expect, Index, Item, Key, Op, Query, Table, TableName, Version},
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

    /// The users whom an issuer calls by this `sub`, with all that were written before. Whoever changes one reads it again.
    pub async fn of_sub(&self, org: OrgId, issuer: &str, sub: &str) -> Result<Vec<UserId>> {
        let partition = keyspace::users_of_sub(org, issuer, sub);
        let query = Query::partition(TableName::Main, partition).sort_prefix(keyspace::USER_OF_SUB);
        let mut query = query.limit(100);
        let mut all = Vec::new();
        loop {
            let page = self.0.query(&query).await?;
            for item in &page.items {
                all.push(decode(item)?);
            }
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// The write by which events about this `sub` find the user; goes with the user's own.
    pub fn point_op(user: &User) -> Result<Op> {
        let item = Item::new(Self::pointer(user), encode(&user.id)?);
        Ok(Op::Put { table: TableName::Main, item, expect: Expect::Any })
    }

    /// The write after which they no longer do: the user is called otherwise.
    pub fn unpoint_op(user: &User) -> Op {
        Op::Delete { table: TableName::Main, key: Self::pointer(user), expect: Expect::Any }
    }

    /// The write that makes a user known; [`Self::point_op`] goes with it.
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

    /// The writes by which an app has seen a user for the first time.
    pub fn create_membership_ops(membership: &Membership) -> Result<[Op; 2]> {
        let item = Self::membership_item(membership)?;
        let create = Op::Put { table: TableName::Main, item, expect: Expect::Absent };
        Ok([create, Self::reach_op(membership.user_id, membership.app_id)?])
    }

    /// The write by which the user's Wallet looks into the app; goes with everything after which something there may be theirs. It
    /// says the same each time, and is never taken back.
    pub fn reach_op(user: UserId, app: AppId) -> Result<Op> {
        let item = Item::new(keyspace::reach_of(user, app), encode(&app)?);
        Ok(Op::Put { table: TableName::Main, item, expect: Expect::Any })
    }

    /// The apps where something may be the user's.
    pub async fn reach(&self, user: UserId) -> Result<Vec<AppId>> {
        let mut query = Query::partition(TableName::Main, keyspace::reach(user)).limit(1000);
        let mut apps = Vec::new();
        loop {
            let page = self.0.query(&query).await?;
            for item in &page.items {
                apps.push(decode(item)?);
            }
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return Ok(apps),
            }
        }
    }

    pub fn put_membership(membership: &Stored<Membership>) -> Result<Op> {
        let item = Self::membership_item(&membership.value)?;
        Ok(Op::Put { table: TableName::Main, item, expect: Expect::Version(membership.version) })
    }

    /// What was told of somebody.
    pub async fn notice(&self, org: OrgId, issuer: &str, sub: &str) -> Result<Option<Stored<Notice>>> {
        let item = self.0.get(TableName::Main, &keyspace::notice(org, issuer, sub)).await?;
        item.as_ref().map(decode_stored).transpose()
    }

    /// The same, and which groups of the issuer's are gone: what somebody's coming is measured by. In one round.
    pub async fn told(
        &self,
        org: OrgId,
        issuer: &str,
        sub: &str,
    ) -> Result<(Option<Stored<Notice>>, Option<Stored<Left>>)> {
        let keys = [keyspace::notice(org, issuer, sub), keyspace::groups_gone(org, issuer)];
        let items = self.0.get_many(&keys.map(|key| (TableName::Main, key))).await?;
        let mut items = items.into_iter();
        let (notice, gone) = (items.next().flatten(), items.next().flatten());
        let notice = notice.as_ref().map(decode_stored).transpose()?;
        Ok((notice, gone.as_ref().map(decode_stored).transpose()?))
    }

    /// The write of what is told, against what was read.
    pub fn put_notice(
        (org, issuer, sub): (OrgId, &str, &str),
        notice: &Notice,
        read: Option<Version>,
    ) -> Result<Op> {
        let item = Item::new(keyspace::notice(org, issuer, sub), encode(notice)?);
        Ok(Op::Put { table: TableName::Main, item, expect: expect(read) })
    }

    /// A condition of a transaction: nothing else was told of them since.
    pub fn check_notice(org: OrgId, issuer: &str, sub: &str, read: Option<Version>) -> Op {
        let key = keyspace::notice(org, issuer, sub);
        Op::Check { table: TableName::Main, key, expect: expect(read) }
    }

    pub async fn groups_gone(&self, org: OrgId, issuer: &str) -> Result<Option<Stored<Left>>> {
        let item = self.0.get(TableName::Main, &keyspace::groups_gone(org, issuer)).await?;
        item.as_ref().map(decode_stored).transpose()
    }

    /// The write of the groups that are gone, against what was read.
    pub fn put_groups_gone(org: OrgId, issuer: &str, gone: &Left, read: Option<Version>) -> Result<Op> {
        let item = Item::new(keyspace::groups_gone(org, issuer), encode(gone)?);
        Ok(Op::Put { table: TableName::Main, item, expect: expect(read) })
    }

    /// A condition of a transaction: no other group of the issuer's has gone since.
    pub fn check_groups_gone(org: OrgId, issuer: &str, read: Option<Version>) -> Op {
        Op::Check { table: TableName::Main, key: keyspace::groups_gone(org, issuer), expect: expect(read) }
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
        Ok(Item::new(keyspace::user(user.id), encode(user)?))
    }

    fn pointer(user: &User) -> Key {
        keyspace::user_of_sub(user.org_id, &user.identity.issuer, &user.sub, user.id)
    }

    fn membership_item(membership: &Membership) -> Result<Item> {
        let Membership { user_id, app_id, created_at, .. } = *membership;
        let item = Item::new(keyspace::membership(user_id, app_id), encode(membership)?);
        Ok(item.with_index(Index::First, keyspace::app_user(app_id, created_at, user_id)))
    }
}

/// As it was read, or absent still.
fn expect(read: Option<Version>) -> Expect {
    read.map_or(Expect::Absent, Expect::Version)
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
