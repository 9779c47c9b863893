//! Organizations and their apps.

use alter_api_types::{AppId, OrgId};

use super::{Listed, Stored, decode_stored, encode, list_page};
use crate::{
    error::{Error, Result},
    keyspace,
    model::{App, Org},
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

    pub async fn create(&self, app: &App) -> Result<()> {
        self.0.put(TableName::Main, Self::item(app)?, Expect::Absent).await?;
        Ok(())
    }

    pub async fn update(&self, app: &Stored<App>) -> Result<Version> {
        Ok(self.0.put(TableName::Main, Self::item(&app.value)?, Expect::Version(app.version)).await?)
    }

    fn item(app: &App) -> Result<Item> {
        let item = Item::new(keyspace::app(app.id), encode(app)?);
        Ok(item.with_index(Index::First, keyspace::org_app(app.org_id, app.id)))
    }
}
