//! Ids and wire types shared by the vault's functions, its CLI and the Wallet's browser code.
//!
//! Who calls it: `alter-domain` and everything above it. What it may touch: nothing. Serde only, no I/O, no
//! clock, builds for wasm.

pub mod audit;
pub mod color;
pub mod connect;
pub mod error;
pub mod grants;
pub mod id;
pub mod portal;
pub mod proxy;
mod secret_text;
pub mod sign_in;
mod time;
pub mod wallet;

pub use color::Color;
pub use error::ErrorBody;
pub use id::*;
pub use secret_text::SecretText;
pub use time::Timestamp;

/// A field that is absent or has a value, never null: a caller whose variable was not set must not act as the whole app.
fn present<'de, D: serde::Deserializer<'de>, T: serde::Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_token_is_absent_or_a_text_and_never_null() {
        let read = serde_json::from_str::<grants::RevokeGrantRequest>;
        assert_eq!(read("{}").unwrap().user_token, None);
        assert_eq!(read(r#"{"user_token":"a.b.c"}"#).unwrap().user_token.as_deref(), Some("a.b.c"));
        assert!(read(r#"{"user_token":null}"#).is_err());
        assert!(
            serde_json::from_str::<proxy::ProxyRequest>(r#"{"method":"GET","url":"u","user_token":null}"#)
                .is_err()
        );
        let session = serde_json::from_str::<connect::CreateSessionRequest>;
        let published =
            r#"{"allowed_providers":["p"],"return_url":null,"allowed_origin":null,"metadata":null}"#;
        assert!(session(published).unwrap().user_token.is_none());
        assert!(serde_json::from_str::<connect::CreateSessionRequest>(r#"{"user_token":null}"#).is_err());
        assert!(serde_json::from_str::<sign_in::ResolveIdentity>(r#"{"user_token":null}"#).is_err());
    }
}
