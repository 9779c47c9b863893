//! Organizations and apps.

use alter_api_types::{AppId, OrgId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Branding;
use crate::error::{Error, Result};

/// A company account. Apps of one organization are isolated from each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Org {
    pub id: OrgId,
    pub name: String,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AppState {
    Active,
    /// Hidden from lists; keys, grants and calls go on working.
    Archived {
        at: Timestamp,
    },
}

/// A registered application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    pub id: AppId,
    pub org_id: OrgId,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_url: Option<String>,
    /// Where users turn to with concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_email: Option<String>,
    #[serde(default, skip_serializing_if = "Branding::is_empty")]
    pub branding: Branding,
    /// The Wallet's sign-in page offers the app to everybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wallet_listed: bool,
    pub state: AppState,
    pub created_at: Timestamp,
}

impl App {
    pub fn archive(self, now: Timestamp) -> Result<Self> {
        match self.state {
            AppState::Active => Ok(Self { state: AppState::Archived { at: now }, ..self }),
            AppState::Archived { .. } => Err(Error::conflict("app_archived", "The app is archived already.")),
        }
    }

    pub fn unarchive(self) -> Result<Self> {
        match self.state {
            AppState::Archived { .. } => Ok(Self { state: AppState::Active, ..self }),
            AppState::Active => Err(Error::conflict("app_not_archived", "The app is not archived.")),
        }
    }
}

/// A name that people read: 1 to 100 characters, no control characters, no space at either end.
pub fn name(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
        return Err(Error::field(
            "invalid_name",
            "A name has 1 to 100 characters and no control characters.",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_bounded() {
        assert_eq!(name("  Demo ").unwrap(), "Demo");
        for bad in ["", "   ", "a\nb", &"x".repeat(101)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
