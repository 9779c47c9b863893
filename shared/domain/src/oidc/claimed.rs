//! What a token says, unchecked: for reading ahead what will be needed if it is true. Nothing is decided by it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{ClaimNames, IdpKind, MAX_TOKEN_CHARS, claims, json};

/// Whom a token seems to be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    pub(crate) issuer: String,
    /// The claim that the subject stands in.
    pub(crate) claim: String,
    pub(crate) subject: String,
    pub(crate) groups: Vec<String>,
}

/// Reads a token by these names of claims, or by those that are usual with its issuer. `None` says nothing about the token.
pub(crate) fn claimed(token: &str, names: Option<&ClaimNames>) -> Option<Claimed> {
    if token.len() > MAX_TOKEN_CHARS {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let payload = json::object(&payload)?;
    let text = |name: &str| claims::identifier(claims::find(&payload, name)).map(str::to_owned);
    let issuer = text("iss")?;
    let usual;
    let names = if let Some(names) = names {
        names
    } else {
        usual = IdpKind::of_issuer(&issuer).suggested_claims();
        &usual
    };
    let groups = names.groups.as_deref().unwrap_or(USUAL_GROUPS);
    let groups = claims::find(&payload, groups).and_then(|value| claims::names(value).ok());
    Some(Claimed {
        claim: names.user_id.clone(),
        subject: text(&names.user_id)?,
        groups: groups.unwrap_or_default(),
        issuer,
    })
}

/// What most products call it.
const USUAL_GROUPS: &str = "groups";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn token(claims: &Value) -> String {
        format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn a_token_is_read_by_the_configured_names_or_the_usual_ones() {
        let of_entra = "https://login.microsoftonline.com/t/v2.0";
        let body = token(&json!({ "iss": of_entra, "sub": "s", "oid": "o", "groups": ["b", "a"] }));
        let usual = claimed(&body, None).unwrap();
        // A preset is a proposal: unless the operator takes it, users are told apart by `sub`.
        assert_eq!((usual.claim.as_str(), usual.subject.as_str(), usual.groups.len()), ("sub", "s", 2));
        let named = ClaimNames::new("sub".to_owned(), Some("teams".to_owned()), None).unwrap();
        let named = claimed(&body, Some(&named)).unwrap();
        assert_eq!((named.subject.as_str(), named.groups.len()), ("s", 0));
    }

    #[test]
    fn what_does_not_read_says_nothing() {
        let long = token(&json!({ "iss": "i", "sub": "s", "pad": "x".repeat(MAX_TOKEN_CHARS) }));
        for text in
            ["", "a", "a.b.c", "..", &token(&json!({ "sub": "s" })), &token(&json!({ "iss": "i" })), &long]
        {
            assert_eq!(claimed(text, None), None, "{text:.40}");
        }
    }
}
