//! Organizations and their apps.

use alter_api_types::{AppId, OrgId};
use bytes::Bytes;

use super::{Listed, Stored, decode, decode_stored, document, encode, encoded, list_page};
use crate::{
    error::{Error, Result},
    keyspace,
    model::{App, AppState, Logo, Org},
    port::{Expect, Index, Item, Op, Query, Table, TableName, Version},
};

pub struct Orgs<'a>(pub &'a dyn Table);

impl Orgs<'_> {
    pub async fn get(&self, id: OrgId) -> Result<Option<Org>> {
        let item = self.0.get(TableName::Main, &keyspace::org(id)).await?;
        item.as_ref().map(super::decode).transpose()
    }

    /// The organization that this installation was set up with.
    pub async fn installed(&self) -> Result<Option<OrgId>> {
        let item = self.0.get(TableName::Main, &keyspace::installation()).await?;
        item.as_ref().map(super::decode).transpose()
    }

    /// The writes that set up an installation: they fail together if it was set up before.
    pub fn install(org: &Org) -> Result<Vec<Op>> {
        let item = Item::new(keyspace::org(org.id), encode(org)?);
        let mark = Item::new(keyspace::installation(), encode(&org.id)?);
        Ok(vec![
            Op::Put { table: TableName::Main, item, expect: Expect::Absent },
            Op::Put { table: TableName::Main, item: mark, expect: Expect::Absent },
        ])
    }
}

pub struct Apps<'a>(pub &'a dyn Table);

impl Apps<'_> {
    /// The app, if it is one of the organization's.
    pub async fn get(&self, org: OrgId, id: AppId) -> Result<Stored<App>> {
        let item = self.0.get(TableName::Main, &keyspace::app(id)).await?;
        let found: Option<Stored<App>> = item.as_ref().map(decode_stored).transpose()?;
        found.filter(|app| app.value.org_id == org).ok_or(Error::NotFound("app"))
    }

    pub async fn list(&self, org: OrgId, limit: usize, cursor: Option<String>) -> Result<Listed<App>> {
        let query = Query::partition(TableName::Main, keyspace::org_apps(org)).index(Index::First);
        list_page(self.0, &query.limit(limit).cursor(cursor)).await
    }

    /// Those of them that exist, in their order. Whose they are is the caller's to know.
    pub async fn get_many(&self, ids: &[AppId]) -> Result<Vec<App>> {
        let keys: Vec<_> = ids.iter().map(|id| (TableName::Main, keyspace::app(*id))).collect();
        self.0.get_many(&keys).await?.iter().flatten().map(decode).collect()
    }

    /// Apps that are offered to everybody who comes to the Wallet, the oldest first; a change shows a moment late.
    pub async fn listed(&self, limit: usize) -> Result<Vec<App>> {
        let query = Query::partition(TableName::Main, keyspace::wallet_listed()).index(Index::Second);
        let (mut apps, mut cursor) = (Vec::new(), None);
        loop {
            let page = list_page(self.0, &query.clone().limit(limit - apps.len()).cursor(cursor)).await?;
            apps.extend(page.items);
            cursor = page.next;
            if cursor.is_none() || apps.len() >= limit {
                return Ok(apps);
            }
        }
    }

    /// The app's logo, with this digest.
    pub async fn logo(&self, app: AppId, digest: &str) -> Result<Option<Logo>> {
        let Some(item) = self.0.get(TableName::Main, &keyspace::app_logo(app)).await? else {
            return Ok(None);
        };
        let logo = Logo::parse(Bytes::copy_from_slice(document(&item)?))?;
        Ok((logo.to_ref().digest == digest).then_some(logo))
    }

    pub async fn create(&self, app: &App) -> Result<()> {
        self.0.put(TableName::Main, Self::item(app)?, Expect::Absent).await?;
        Ok(())
    }

    pub async fn update(&self, app: &Stored<App>) -> Result<Version> {
        Ok(self.0.put(TableName::Main, Self::item(&app.value)?, Expect::Version(app.version)).await?)
    }

    /// Writes the app together with its picture, or without one.
    pub async fn update_logo(&self, app: &Stored<App>, logo: Option<&Logo>) -> Result<()> {
        let (table, key) = (TableName::Main, keyspace::app_logo(app.value.id));
        let picture = match logo {
            Some(logo) => Op::Put { table, item: Item::new(key, encoded(logo.bytes())), expect: Expect::Any },
            None => Op::Delete { table, key, expect: Expect::Any },
        };
        let app = Op::Put { table, item: Self::item(&app.value)?, expect: Expect::Version(app.version) };
        Ok(self.0.transact(vec![app, picture]).await?)
    }

    fn item(app: &App) -> Result<Item> {
        let item = Item::new(keyspace::app(app.id), encode(app)?);
        let item = item.with_index(Index::First, keyspace::org_app(app.org_id, app.id));
        let offered = app.wallet_listed && app.state == AppState::Active;
        Ok(if offered { item.with_index(Index::Second, keyspace::wallet_listed_app(app.id)) } else { item })
    }
}
