//! Where a transmitter of security events publishes its keys (OpenID Shared Signals Framework 1.0, section 7).

use super::{
    DiscoveryError,
    discovery::{MAX_ADDRESS_CHARS, checked_issuer, text},
    fetch, json,
    jwks::KeySet,
};
use crate::{egress::EgressRules, port::HttpClient};

/// A transmitter whose document holds and whose keys can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmitter {
    /// As its tokens say in `iss`.
    pub issuer: String,
    pub jwks_uri: String,
}

const WELL_KNOWN: &str = "/.well-known/ssf-configuration";

/// Reads a transmitter's document and its keys, and stores nothing.
pub async fn transmitter(
    http: &dyn HttpClient,
    rules: EgressRules,
    issuer: &str,
) -> Result<Transmitter, DiscoveryError> {
    let bare = checked_issuer(issuer, rules)?;
    let address = address(bare).ok_or(DiscoveryError::Issuer)?;
    let target = fetch::target(&address, rules).map_err(DiscoveryError::Document)?;
    let document = fetch::document(http, &target).await.map_err(DiscoveryError::Document)?;
    let document = json::object(&document).ok_or(DiscoveryError::Malformed)?;
    let named = text(&document, "issuer")?.ok_or(DiscoveryError::Member("issuer"))?;
    if named.strip_suffix('/').unwrap_or(&named) != bare {
        return Err(DiscoveryError::OtherIssuer);
    }
    // Optional for who pushes over a channel that proves the sender; here the signature is the only proof.
    let jwks_uri = text(&document, "jwks_uri")?.filter(|address| address.len() <= MAX_ADDRESS_CHARS);
    let jwks_uri = jwks_uri.ok_or(DiscoveryError::Member("jwks_uri"))?;
    let keys = fetch::target(&jwks_uri, rules).map_err(DiscoveryError::KeysUnreachable)?;
    let keys = fetch::document(http, &keys).await.map_err(DiscoveryError::KeysUnreachable)?;
    KeySet::from_slice(&keys)?;
    Ok(Transmitter { issuer: named, jwks_uri })
}

/// Section 7.2: the well-known part stands between host and path.
fn address(bare_issuer: &str) -> Option<String> {
    let (scheme, rest) = bare_issuer.split_once("://")?;
    let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    Some(format!("{scheme}://{host}{WELL_KNOWN}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_stands_between_host_and_path() {
        for (issuer, expected) in [
            ("https://tr.example.com", "https://tr.example.com/.well-known/ssf-configuration"),
            ("https://tr.example.com/a/b", "https://tr.example.com/.well-known/ssf-configuration/a/b"),
        ] {
            assert_eq!(address(issuer).as_deref(), Some(expected));
        }
    }
}
