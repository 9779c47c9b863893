//! The `state` of a request to an identity provider that is made for the Wallet (RFC 6749 section 10.12).

use std::fmt;

use alter_api_types::{AppId, SignInId};
use subtle::ConstantTimeEq as _;

use crate::{
    error::Result,
    flow::{
        connect::hex_digest,
        identity::sign_in::{Right, Ticket},
    },
    port::Rng,
    secret::Secret,
};

/// `<app id>.<ticket>`: the app that the answer is for, and the one request that it answers. The digest is of the whole text, so
/// that an answer cannot be moved to another app.
pub struct WalletState {
    app: AppId,
    id: SignInId,
    text: Secret<String>,
}

impl WalletState {
    pub(super) fn mint(app: AppId, id: SignInId, rng: &dyn Rng) -> Result<Self> {
        let ticket = Ticket::mint(Right::Answer, id, rng)?;
        Ok(Self { app, id, text: Secret::new(format!("{app}.{}", ticket.text().expose_secret())) })
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (app, ticket) = text.split_once('.')?;
        let parsed: AppId = app.parse().ok()?;
        // One spelling: ids have several.
        if parsed.to_string() != app {
            return None;
        }
        let id = Ticket::parse(Right::Answer, ticket)?.id();
        Some(Self { app: parsed, id, text: Secret::new(text.to_owned()) })
    }

    pub fn app(&self) -> AppId {
        self.app
    }

    pub fn sign_in(&self) -> SignInId {
        self.id
    }

    pub(super) fn text(&self) -> &str {
        self.text.expose_secret()
    }

    pub(super) fn digest(&self) -> String {
        hex_digest(self.text().as_bytes())
    }

    /// In constant time.
    pub(super) fn has_digest(&self, stored: &str) -> bool {
        self.digest().as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

impl fmt::Debug for WalletState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WalletState({}, {}, …)", self.app, self.id)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::port::SeededRng;

    #[test]
    fn a_state_names_its_app_and_its_request_in_one_spelling() {
        let rng = SeededRng::new(1);
        let (app, other): (AppId, AppId) = (Uuid::from_u128(0xabc).into(), Uuid::from_u128(0xdef).into());
        let id = Uuid::from_u128(7).into();
        let state = WalletState::mint(app, id, &rng).unwrap();
        let text = state.text().to_owned();
        let back = WalletState::parse(&text).unwrap();
        assert_eq!((back.app(), back.sign_in()), (app, id));
        assert!(back.has_digest(&state.digest()));
        assert!(!format!("{state:?}").contains(&text[60..]));
        // Moved to another app it is another.
        let moved = text.replacen(&app.to_string(), &other.to_string(), 1);
        assert!(!WalletState::parse(&moved).unwrap().has_digest(&state.digest()));
        let ticket = text.split_once('.').unwrap().1;
        for bad in [
            "",
            ".",
            ticket,
            &format!(".{ticket}"),
            &format!("{text}A"),
            &format!("{text}="),
            &format!("{app}.begin_{ticket}"),
            &text.to_uppercase(),
            &format!("{}.{ticket}", app.to_string().to_uppercase()),
            &format!("{}.{ticket}", app.to_string().replace('-', "")),
        ] {
            assert!(WalletState::parse(bad).is_none(), "{bad}");
        }
    }
}
