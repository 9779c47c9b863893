//! Ids: UUIDv7 newtypes (RFC 9562 section 5.7), so that no two kinds of id can be confused and every id sorts by
//! creation time.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An id that can be made from a UUID. Implemented by the macro below only.
pub trait Id: Copy + From<Uuid> + Into<Uuid> {}

/// A text that is not a hyphenated UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a UUID")
    }
}

impl std::error::Error for ParseIdError {}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name(Uuid);

        impl Id for $name {}

        impl $name {
            /// The 16 bytes of the id, for keys and associated data.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl From<Uuid> for $name {
            fn from(value: Uuid) -> Self {
                Self(value)
            }
        }

        impl From<$name> for Uuid {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            /// Accepts the hyphenated form only: one id has one spelling, whatever its case.
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                if s.len() != 36 {
                    return Err(ParseIdError);
                }
                Uuid::try_parse(s).map(Self).map_err(|_| ParseIdError)
            }
        }
    )*};
}

ids! {
    /// A company account.
    OrgId;
    /// A registered application: the hard wall between keys, grants and audit rows.
    AppId;
    /// An API key (not its public part, which is text inside the key).
    KeyId;
    /// A named workload identity of an app.
    AgentId;
    /// A managed-secret provider: a named slot with injection rules and allowed hosts.
    SecretId;
    /// A stored credential: one sealed value behind one or more grants.
    CredentialId;
    /// A consent record that lets a principal call a provider.
    GrantId;
    /// An end user of an app.
    UserId;
    /// An identity provider of an app.
    IdpId;
    /// One audit event; of a call, the id of the call.
    EventId;
    /// A personal access token of an operator.
    PatId;
    /// What one authorization at an OAuth provider gave: tokens, and the account that they are for.
    ConnectionId;
    /// One visit of an end user to the Connect page.
    ConnectSessionId;
    /// One sign-in of an end user at their identity provider.
    SignInId;
    /// One signed-in browser of the Wallet.
    WalletSessionId;
    /// The task of telling a provider that access has ended.
    RevocationId;
    /// One holder's turn at refreshing a connection.
    LeaseId;
    /// A data key that seals an app's credentials or signing keys.
    DataKeyId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let text = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90";
        let id: GrantId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        for bad in ["", "018f4e9a5b1c7d2e8f3a4b5c6d7e8f90", "{018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90}", "x"] {
            assert_eq!(bad.parse::<GrantId>(), Err(ParseIdError), "{bad}");
        }
    }
}
