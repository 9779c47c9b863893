//! Operators' personal access tokens (`alter_pat_…`).

use alter_api_types::{OrgId, PatId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What an operator token may do over the portal's API. `Admin` includes the others; a token for dashboards reads only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    Read,
    Write,
    Admin,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorToken {
    pub id: PatId,
    pub org_id: OrgId,
    pub public_part: String,
    /// SHA-256 of the plain token, lowercase hex.
    pub digest: String,
    pub name: String,
    pub permission: Permission,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl OperatorToken {
    /// Unknown, revoked and expired tokens answer alike.
    pub fn usable(&self, now: Timestamp) -> Result<()> {
        if self.revoked_at.is_some() || self.expires_at.is_some_and(|at| now >= at) {
            return Err(Error::InvalidOperatorToken);
        }
        Ok(())
    }

    pub fn revoke(self, now: Timestamp) -> Result<Self> {
        if self.revoked_at.is_some() {
            return Err(Error::conflict("token_revoked", "The token is revoked already."));
        }
        Ok(Self { revoked_at: Some(now), ..self })
    }

    pub fn require(&self, needed: Permission) -> Result<()> {
        if self.permission >= needed {
            return Ok(());
        }
        let text = |p: Permission| format!("portal:{p:?}").to_lowercase();
        Err(Error::InsufficientScope { required: vec![text(needed)], granted: vec![text(self.permission)] })
    }
}
