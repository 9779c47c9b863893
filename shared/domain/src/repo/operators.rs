//! Operator tokens.

use alter_api_types::{OrgId, PatId};

use super::{Listed, Stored, decode_stored, encode, first, list_page};
use crate::{
    error::{Error, Result},
    keyspace,
    model::OperatorToken,
    port::{Expect, Index, Item, Op, Query, Table, TableName},
};

pub struct OperatorTokens<'a>(pub &'a dyn Table);

impl OperatorTokens<'_> {
    pub async fn find_by_public_part(&self, public_part: &str) -> Result<Option<OperatorToken>> {
        let item = self.0.get(TableName::Main, &keyspace::operator_token(public_part)).await?;
        item.as_ref().map(super::decode).transpose()
    }

    pub async fn get(&self, org: OrgId, id: PatId) -> Result<Stored<OperatorToken>> {
        let query = Query { from: Some(id.to_string()), ..Self::of_org(org) };
        let Some(item) = first(self.0, query).await? else { return Err(Error::NotFound("operator token")) };
        let fresh = self.0.get(TableName::Main, &item.key).await?.ok_or(Error::NotFound("operator token"))?;
        let found: Stored<OperatorToken> = decode_stored(&fresh)?;
        if found.value.id == id { Ok(found) } else { Err(Error::NotFound("operator token")) }
    }

    pub async fn list(
        &self,
        org: OrgId,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listed<OperatorToken>> {
        list_page(self.0, &Self::of_org(org).limit(limit).cursor(cursor)).await
    }

    pub fn create(token: &OperatorToken) -> Result<Op> {
        Ok(Op::Put { table: TableName::Main, item: Self::item(token)?, expect: Expect::Absent })
    }

    pub async fn save(&self, token: &Stored<OperatorToken>) -> Result<()> {
        self.0.put(TableName::Main, Self::item(&token.value)?, Expect::Version(token.version)).await?;
        Ok(())
    }

    fn of_org(org: OrgId) -> Query {
        Query::partition(TableName::Main, keyspace::org_tokens(org)).index(Index::First)
    }

    fn item(token: &OperatorToken) -> Result<Item> {
        let index = crate::port::Key::new(keyspace::org_tokens(token.org_id), token.id.to_string());
        Ok(Item::new(keyspace::operator_token(&token.public_part), encode(token)?)
            .with_index(Index::First, index))
    }
}
