//! Agents: named workload identities of an app.

use alter_api_types::{AgentId, AppId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A name of an agent: 1 to 64 of lowercase letters, digits, `-` and `_`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentName(String);

impl AgentName {
    pub fn parse(text: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !begins || text.len() > 64 || !text.chars().all(allowed) {
            return Err(Error::field(
                "invalid_agent_name",
                "An agent's name has 1 to 64 lowercase letters, digits, '-' or '_' and begins with a letter or digit.",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AgentState {
    Active,
    Revoked { at: Timestamp },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    pub id: AgentId,
    pub app_id: AppId,
    pub name: AgentName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    pub state: AgentState,
    pub created_at: Timestamp,
}

impl Agent {
    pub fn usable(&self) -> Result<()> {
        match self.state {
            AgentState::Active => Ok(()),
            AgentState::Revoked { .. } => Err(Error::AgentRevoked),
        }
    }

    /// Final: every key and grant of the agent stops working with it.
    pub fn revoke(self, now: Timestamp) -> Result<Self> {
        match self.state {
            AgentState::Active => Ok(Self { state: AgentState::Revoked { at: now }, ..self }),
            AgentState::Revoked { .. } => {
                Err(Error::conflict("agent_revoked", "The agent is revoked already."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowercase_tokens() {
        assert!(AgentName::parse("research-bot_2").is_ok());
        for bad in ["", "-a", "Research", "a b", "ä", &"a".repeat(65)] {
            assert!(AgentName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
