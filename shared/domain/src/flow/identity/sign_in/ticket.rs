//! Texts that name a sign-in and prove a right to something of it.

use std::fmt;

use alter_api_types::SignInId;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{error::Result, flow::connect::hex_digest, port::Rng, secret::Secret};

const ID_BYTES: usize = 16;
/// 192 bits.
const RANDOM_BYTES: usize = 24;

/// What a ticket is for. None opens what another does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::flow) enum Right {
    /// The app, with its key: to ask how the sign-in ended.
    Poll,
    /// A browser: to begin it.
    Start,
    /// The identity provider, by the browser that it sends back: to answer one request (`state`, RFC 6749 section 10.12).
    Answer,
}

impl Right {
    fn prefix(self) -> &'static str {
        match self {
            Self::Poll => "auth_sess_",
            Self::Start => "begin_",
            Self::Answer => "",
        }
    }
}

/// A ticket as somebody presents it. It says which sign-in it is for; whether it is that one's, its digest tells.
pub(in crate::flow) struct Ticket {
    id: SignInId,
    text: Secret<String>,
}

impl Ticket {
    pub(in crate::flow) fn mint(right: Right, id: SignInId, rng: &dyn Rng) -> Result<Self> {
        let mut bytes = Zeroizing::new([0u8; ID_BYTES + RANDOM_BYTES]);
        let (head, random) = bytes.split_at_mut(ID_BYTES);
        head.copy_from_slice(id.as_bytes());
        rng.fill(random)?;
        let text = format!("{}{}", right.prefix(), *Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)));
        Ok(Self { id, text: Secret::new(text) })
    }

    pub(in crate::flow) fn parse(right: Right, text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(right.prefix())?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let (id, random) = bytes.split_first_chunk::<ID_BYTES>()?;
        let id = Uuid::from_bytes(*id).into();
        (random.len() == RANDOM_BYTES).then(|| Self { id, text: Secret::new(text.to_owned()) })
    }

    pub(in crate::flow) fn id(&self) -> SignInId {
        self.id
    }

    pub(in crate::flow) fn text(&self) -> &Secret<String> {
        &self.text
    }

    pub(in crate::flow) fn digest(&self) -> String {
        hex_digest(self.text.expose_secret().as_bytes())
    }

    /// In constant time.
    pub(in crate::flow) fn has_digest(&self, stored: &str) -> bool {
        self.digest().as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({}, …)", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::SeededRng;

    #[test]
    fn a_ticket_is_for_one_sign_in_and_one_right() {
        let rng = SeededRng::new(1);
        let id = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001).into();
        let rights = [Right::Poll, Right::Start, Right::Answer];
        for right in rights {
            let ticket = Ticket::mint(right, id, &rng).unwrap();
            let text = ticket.text().expose_secret().clone();
            assert!(!format!("{ticket:?}").contains(&text[40..]));
            for other in rights {
                let parsed = Ticket::parse(other, &text);
                assert_eq!(parsed.is_some(), right == other, "{right:?} as {other:?}");
            }
            let parsed = Ticket::parse(right, &text).unwrap();
            assert_eq!(parsed.id(), id);
            assert!(parsed.has_digest(&ticket.digest()));
            assert!(!Ticket::mint(right, id, &rng).unwrap().has_digest(&ticket.digest()));
            for bad in ["", right.prefix(), &text[1..], &format!("{text}A"), &format!("{text}=")] {
                assert!(Ticket::parse(right, bad).is_none(), "{right:?} {bad}");
            }
        }
    }
}
