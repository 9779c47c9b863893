//! Repositories: a plural noun each, written once over the `Table` port.
//!
//! A stored document is one format byte and JSON. Readers accept this version and, once there is one, the one before.

mod agents;
mod api_keys;
mod apps;
mod audit_counts;
mod audit_filter;
mod audit_rows;
mod audit_store;
mod connect_sessions;
mod connections;
mod credentials;
mod decoded;
mod grants;
mod identity_providers;
mod operators;
mod provider_configs;
mod revocations;
mod secrets;
mod sign_ins;
mod users;
mod wallet_sessions;

use alter_api_types::AppId;
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

pub use agents::Agents;
pub use api_keys::{ApiKeys, MAX_KEYS_PER_APP};
pub use apps::{Apps, Orgs};
pub use audit_counts::{AuditCounts, CallCount};
pub use audit_filter::{AuditFilter, AuditScope, Needle, Order};
pub use audit_rows::{AuditPage, AuditRows, MAX_PAGE, RETENTION_DAYS, SETTLE_SECONDS};
pub use audit_store::WriteReport;
pub use connect_sessions::ConnectSessions;
pub use connections::Connections;
pub use credentials::Credentials;
pub(crate) use decoded::Decoded;
pub use grants::{GrantFilter, Grants, Listing, MAX_LISTED, PrincipalFilter};
pub use identity_providers::IdentityProviders;
pub use operators::OperatorTokens;
pub use provider_configs::ProviderConfigs;
pub use revocations::Revocations;
pub use secrets::ManagedSecrets;
pub use sign_ins::SignIns;
pub use users::{Deprovisions, Users};
pub use wallet_sessions::{WalletSessions, WalletSignIns};

use crate::{
    error::{Error, Result},
    port::{Item, Page, Query, Table, Version},
};

const FORMAT: u8 = 1;

/// A value with the version of the item that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    pub value: T,
    pub version: Version,
}

impl<T> Stored<T> {
    /// Applies a transition and keeps the version to write against.
    pub fn try_map(self, change: impl FnOnce(T) -> Result<T>) -> Result<Self> {
        Ok(Self { value: change(self.value)?, version: self.version })
    }
}

/// One page of a list; `next` is opaque.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(FORMAT);
    serde_json::to_writer(&mut bytes, value)?;
    Ok(bytes.into())
}

/// A stored document that was made elsewhere: of JSON, or a picture.
pub(crate) fn encoded(document: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(document.len() + 1);
    bytes.push(FORMAT);
    bytes.extend_from_slice(document);
    bytes.into()
}

pub(crate) fn decode<T: DeserializeOwned>(item: &Item) -> Result<T> {
    Ok(serde_json::from_slice(document(item)?)?)
}

/// What [`encoded`] was given.
pub(crate) fn document(item: &Item) -> Result<&[u8]> {
    match item.body.split_first() {
        Some((&FORMAT, document)) => Ok(document),
        Some((other, _)) => Err(Error::Internal(format!("stored document has format {other}"))),
        None => Err(Error::Internal("stored document is empty".to_owned())),
    }
}

pub(crate) fn decode_stored<T: DeserializeOwned>(item: &Item) -> Result<Stored<T>> {
    Ok(Stored { value: decode(item)?, version: item.version })
}

/// Reads one page and decodes it.
pub(crate) async fn list_page<T: DeserializeOwned>(table: &dyn Table, query: &Query) -> Result<Listed<T>> {
    let Page { items, next } = table.query(query).await.map_err(cursor_error)?;
    Ok(Listed { items: items.iter().map(decode).collect::<Result<_>>()?, next })
}

/// The first item of a query, which may lie behind empty pages.
pub(crate) async fn first(table: &dyn Table, mut query: Query) -> Result<Option<Item>> {
    query.limit = 1;
    loop {
        let Page { items, next } = table.query(&query).await?;
        if let Some(item) = items.into_iter().next() {
            return Ok(Some(item));
        }
        match next {
            Some(next) => query.cursor = Some(next),
            None => return Ok(None),
        }
    }
}

/// A cursor comes from outside: one that the table refuses is the caller's mistake.
pub(crate) fn cursor_error(error: crate::port::StoreError) -> Error {
    match error {
        crate::port::StoreError::Invalid(_) => {
            Error::field("invalid_cursor", "The cursor is not one of this list's.")
        }
        other => other.into(),
    }
}

/// The wall between apps: what belongs to another app does not exist.
pub(crate) fn of_app<T>(
    found: Option<T>,
    app: AppId,
    owner: impl Fn(&T) -> AppId,
    what: &'static str,
) -> Result<T> {
    found.filter(|value| owner(value) == app).ok_or(Error::NotFound(what))
}
