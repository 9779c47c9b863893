//! The distribution in front of the Wallet (CloudFront).
//!
//! Behind it the gateway sees the distribution's connection and not the browser's. The distribution names the browser's address in
//! a header, and in another proves that it is the one of this installation, by a text that the account made. Without the proof the
//! first is anybody's word: whoever calls the API past the distribution counts as the connection that he comes over.

use std::{collections::BTreeMap, net::IpAddr};

use alter_domain::secret::Secret;
use subtle::ConstantTimeEq as _;

/// The header with the proof. It is read here and passed on to nobody.
pub(super) const PROOF: &str = "x-alter-edge";
/// Address and port of the browser.
const VIEWER: &str = "cloudfront-viewer-address";

/// What the distribution proves itself with.
pub(super) struct Front(Secret<String>);

impl Front {
    pub(super) fn new(proof: String) -> Self {
        Self(Secret::new(proof))
    }

    /// The browser's address, if these are the headers of a request that came through the distribution.
    pub(super) fn viewer(&self, headers: &BTreeMap<String, String>) -> Option<IpAddr> {
        let of = |wanted: &str| {
            let mut found = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.next().map(|(_, value)| value.as_str())
        };
        let proven = self.0.expose_secret().as_bytes().ct_eq(of(PROOF)?.as_bytes());
        if !bool::from(proven) {
            return None;
        }
        // An IPv6 address stands there without brackets: the port is what follows the last colon.
        let (address, _port) = of(VIEWER)?.rsplit_once(':')?;
        address.trim_matches(['[', ']']).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "uPzWh2zH5cD0sXo3XxPHxZDXL1x8cJ7y";

    fn seen(headers: &[(&str, &str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Front::new(SECRET.to_owned()).viewer(&headers).map(|ip| ip.to_string())
    }

    #[test]
    fn the_distribution_names_the_browsers_address() {
        for (given, address) in [
            ("198.51.100.10:46532", "198.51.100.10"),
            ("2001:db8:85a3:0:0:8a2e:370:7334:443", "2001:db8:85a3::8a2e:370:7334"),
            ("[2001:db8::1]:443", "2001:db8::1"),
        ] {
            assert_eq!(seen(&[(PROOF, SECRET), (VIEWER, given)]).as_deref(), Some(address));
            assert_eq!(seen(&[("X-Alter-Edge", SECRET), (VIEWER, given)]).as_deref(), Some(address));
        }
    }

    #[test]
    fn nobody_else_is_believed() {
        let viewer = (VIEWER, "198.51.100.10:46532");
        assert_eq!(seen(&[viewer]), None);
        for proof in ["", "uPzWh2zH5cD0sXo3XxPHxZDXL1x8cJ7", "uPzWh2zH5cD0sXo3XxPHxZDXL1x8cJ7z"] {
            assert_eq!(seen(&[(PROOF, proof), viewer]), None, "{proof}");
        }
    }

    #[test]
    fn what_is_no_address_says_nothing() {
        assert_eq!(seen(&[(PROOF, SECRET)]), None);
        for given in ["", "198.51.100.10", "unknown:1", ":443", "198.51.100.10, 203.0.113.9:1:1"] {
            assert_eq!(seen(&[(PROOF, SECRET), (VIEWER, given)]), None, "{given}");
        }
    }
}
