//! Sealed credentials, in the vault table.

use alter_api_types::{AppId, CredentialId, RevocationId};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{Stored, decode, encode};
use crate::{
    crypto::{Place, Sealed},
    error::{Error, Result},
    keyspace,
    model::SealedCredential,
    port::{Expect, Item, Key, KeyPurpose, Op, Table, TableName},
};

#[derive(Serialize, Deserialize)]
struct Row {
    id: CredentialId,
    app_id: AppId,
    seal_version: u64,
    sealed: String,
}

pub struct Credentials<'a>(pub &'a dyn Table);

impl Credentials<'_> {
    pub async fn get(&self, app: AppId, id: CredentialId) -> Result<Stored<SealedCredential>> {
        let item = self.0.get(TableName::Vault, &keyspace::credential(id)).await?;
        let item = item.ok_or(Error::NotFound("credential"))?;
        let value = Self::read(&item)?;
        if value.app_id != app {
            return Err(Error::NotFound("credential"));
        }
        Ok(Stored { value, version: item.version })
    }

    pub(crate) fn read(item: &Item) -> Result<SealedCredential> {
        let row: Row = decode(item)?;
        let bytes = STANDARD
            .decode(&row.sealed)
            .map_err(|_| Error::Internal("sealed credential is not base64".into()))?;
        Ok(SealedCredential {
            id: row.id,
            app_id: row.app_id,
            seal_version: row.seal_version,
            sealed: Sealed::from_bytes(bytes)?,
        })
    }

    pub fn create(credential: &SealedCredential) -> Result<Op> {
        Ok(Op::Put { table: TableName::Vault, item: Self::item(credential)?, expect: Expect::Absent })
    }

    pub fn replace(credential: &Stored<SealedCredential>) -> Result<Op> {
        let expect = Expect::Version(credential.version);
        Ok(Op::Put { table: TableName::Vault, item: Self::item(&credential.value)?, expect })
    }

    /// Writes the value whatever was there: the caller's transaction holds another item at its version.
    pub fn overwrite(credential: &SealedCredential) -> Result<Op> {
        Ok(Op::Put { table: TableName::Vault, item: Self::item(credential)?, expect: Expect::Any })
    }

    pub fn delete(id: CredentialId) -> Op {
        Op::Delete { table: TableName::Vault, key: keyspace::credential(id), expect: Expect::Any }
    }

    /// Keeps the sealed tokens for a revocation, as they are: their seal still names the credential, so that they open for
    /// whoever knows that they were parked, and at no place that a call reads.
    pub fn park(credential: &SealedCredential, revocation: RevocationId) -> Result<Op> {
        let item = Item { key: keyspace::revocation(revocation), ..Self::item(credential)? };
        Ok(Op::Put { table: TableName::Vault, item, expect: Expect::Absent })
    }

    /// What [`Self::park`] kept.
    pub async fn parked(&self, revocation: RevocationId) -> Result<Option<SealedCredential>> {
        let item = self.0.get(TableName::Vault, &keyspace::revocation(revocation)).await?;
        item.as_ref().map(Self::read).transpose()
    }

    /// Where a credential is sealed to: another row, id or version does not open it.
    pub fn place(key: &Key, id: CredentialId, seal_version: u64) -> Place<'_> {
        Place {
            table: TableName::Vault,
            key,
            id: id.into(),
            version: seal_version,
            purpose: KeyPurpose::Credential,
        }
    }

    fn item(credential: &SealedCredential) -> Result<Item> {
        let row = Row {
            id: credential.id,
            app_id: credential.app_id,
            seal_version: credential.seal_version,
            sealed: STANDARD.encode(credential.sealed.as_bytes()),
        };
        Ok(Item::new(keyspace::credential(credential.id), encode(&row)?))
    }
}
