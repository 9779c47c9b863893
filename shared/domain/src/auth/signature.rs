//! What a signature covers (docs/signing.md; wire protocol section 2.3).

use crate::crypto::sha256;

/// Says in the content hash header that the body is not covered; accepted on `/v1/forward` only, where bodies stream.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

pub mod header {
    //! The headers of a signed call, as they are sent. Names of HTTP headers are compared without regard to case.

    pub const API_KEY: &str = "x-api-key";
    /// The key's public part, instead of the key itself.
    pub const KEY_ID: &str = "x-alter-key-id";
    pub const TIMESTAMP: &str = "x-alter-timestamp";
    pub const NONCE: &str = "x-alter-nonce";
    pub const CONTENT_SHA256: &str = "x-alter-content-sha256";
    pub const SIGNATURE: &str = "x-alter-signature";
    /// The same value as [`SIGNATURE`], sent when an actor value is signed.
    pub const SIGNATURE_V2: &str = "x-alter-signature-v2";
    pub const SCOPE_CONSTRAINTS: &str = "x-alter-scope-constraints";
    pub const REQUEST_RULE: &str = "x-alter-request-rule";
    pub const CALLER: &str = "x-alter-caller";
    pub const CALLER_TYPE: &str = "x-alter-caller-type";
    pub const ACTOR_ID: &str = "x-alter-actor-id";
    pub const ACTOR_CONTEXT: &str = "x-alter-context";
    pub const TARGET: &str = "alter-target";
    pub const GRANT: &str = "alter-grant";
    pub const PROVIDER: &str = "alter-provider";
    pub const ACCOUNT: &str = "alter-account";
    pub const LABEL: &str = "alter-label";
    pub const USER_TOKEN: &str = "alter-user-token";
    pub const REASON: &str = "alter-reason";
}

/// How many headers are signed as labelled lines.
pub const LABELLED_COUNT: usize = 12;

/// The values of the headers that are signed as labelled lines; an empty text is an absent header.
#[derive(Clone, Copy, Default)]
pub struct Labelled<'a> {
    pub request_rule: &'a str,
    pub caller: &'a str,
    pub caller_type: &'a str,
    pub actor_id: &'a str,
    pub actor_context: &'a str,
    pub target: &'a str,
    pub grant: &'a str,
    pub provider: &'a str,
    pub account: &'a str,
    pub label: &'a str,
    pub user_token: &'a str,
    pub reason: &'a str,
}

impl<'a> Labelled<'a> {
    /// Collects the values from a request; `value` gives the text of a header by its lower-case name.
    pub fn from_headers(value: impl Fn(&'static str) -> Option<&'a str>) -> Self {
        let get = |name| value(name).unwrap_or_default();
        Self {
            request_rule: get(header::REQUEST_RULE),
            caller: get(header::CALLER),
            caller_type: get(header::CALLER_TYPE),
            actor_id: get(header::ACTOR_ID),
            actor_context: get(header::ACTOR_CONTEXT),
            target: get(header::TARGET),
            grant: get(header::GRANT),
            provider: get(header::PROVIDER),
            account: get(header::ACCOUNT),
            label: get(header::LABEL),
            user_token: get(header::USER_TOKEN),
            reason: get(header::REASON),
        }
    }

    /// Label of the line, name of the header, value: in the order in which they are signed.
    pub fn entries(&self) -> [(&'static str, &'static str, &'a str); LABELLED_COUNT] {
        [
            ("request-rule", header::REQUEST_RULE, self.request_rule),
            ("caller", header::CALLER, self.caller),
            ("caller-type", header::CALLER_TYPE, self.caller_type),
            ("actor-id", header::ACTOR_ID, self.actor_id),
            ("actor-context", header::ACTOR_CONTEXT, self.actor_context),
            ("alter-target", header::TARGET, self.target),
            ("alter-grant", header::GRANT, self.grant),
            ("alter-provider", header::PROVIDER, self.provider),
            ("alter-account", header::ACCOUNT, self.account),
            ("alter-label", header::LABEL, self.label),
            ("alter-user-token", header::USER_TOKEN, self.user_token),
            ("alter-reason", header::REASON, self.reason),
        ]
    }

    /// The lines for [`SignedParts::labelled`].
    pub fn lines(&self) -> [(&'static str, &'a str); LABELLED_COUNT] {
        self.entries().map(|(label, _, value)| (label, value))
    }

    /// Whether one of the four actor values is there; then the clients send a second signature header.
    pub fn has_actor(&self) -> bool {
        [self.caller, self.caller_type, self.actor_id, self.actor_context]
            .iter()
            .any(|value| !value.is_empty())
    }
}

/// Everything that the signature of a call covers, as text.
#[derive(Clone, Copy)]
pub struct SignedParts<'a> {
    /// Any case; signed in upper case.
    pub method: &'a str,
    /// The canonical target (`auth::canonical`).
    pub target: &'a str,
    pub timestamp: &'a str,
    pub nonce: &'a str,
    pub content_hash: &'a str,
    /// The scope constraints header; absent and empty are the same.
    pub constraints: Option<&'a str>,
    /// Label and value, in the order of [`Labelled::lines`]. Empty values make no line.
    pub labelled: &'a [(&'static str, &'a str)],
}

impl SignedParts<'_> {
    /// The text that is signed. One text has one reading as long as no part contains a line feed: header values cannot,
    /// and `unambiguous_target` sees to the target.
    pub fn string_to_sign(&self) -> String {
        let constraints = self.constraints.unwrap_or_default();
        let fixed = [self.target, self.timestamp, self.nonce, self.content_hash, constraints];
        let labelled = self.labelled.iter().filter(|(_, value)| !value.is_empty());
        let length = self.method.len()
            + fixed.iter().map(|line| line.len() + 1).sum::<usize>()
            + labelled.clone().map(|(label, value)| label.len() + value.len() + 2).sum::<usize>();

        let mut text = String::with_capacity(length);
        text.push_str(self.method);
        text.make_ascii_uppercase();
        for line in fixed {
            text.push('\n');
            text.push_str(line);
        }
        for (label, value) in labelled {
            text.push('\n');
            text.push_str(label);
            text.push(':');
            text.push_str(value);
        }
        text
    }
}

/// The content hash header of a body: lower-case hex of its SHA-256. No body is zero bytes.
pub fn content_hash(body: &[u8]) -> String {
    hex::encode(sha256(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{auth::canonical::canonical_target, crypto::SigningKey, secret::Secret};

    const KEY: &str = "alter_rk_aaaaaaaaaaaaaaaaaaaaaa_l77ykl";
    const NONCE: &str = "00000000000000000000000000000000";
    const BODY_HASH: &str = "e8157a931dcad345dfc1ac26cc76d92d7ecc6396d478da0f08c82717cdcf1abb";

    fn list_grants<'a>(labelled: &'a [(&'static str, &'a str)]) -> SignedParts<'a> {
        SignedParts {
            method: "POST",
            target: "/sdk/grants/list",
            timestamp: "1760000000",
            nonce: NONCE,
            content_hash: BODY_HASH,
            constraints: None,
            labelled,
        }
    }

    fn sign(parts: &SignedParts<'_>) -> String {
        SigningKey::derive(&Secret::new(KEY.to_owned())).sign(&parts.string_to_sign())
    }

    /// Wire protocol section 2.3.
    #[test]
    fn equals_the_published_client() {
        assert_eq!(content_hash(br#"{"limit":1,"offset":0}"#), BODY_HASH);
        assert_eq!(
            sign(&list_grants(&[])),
            "7c522a4c37e67bc03717b46833f1adce6ee98b73310f6916d01b529ec730adf8"
        );
        let actor = Labelled { caller: "svc", caller_type: "service", ..Labelled::default() };
        assert_eq!(
            sign(&list_grants(&actor.lines())),
            "316bf3df42b3edcd55385310b96b7b6b21311bc1f968a94d39a9373137012e72"
        );
        let get = SignedParts {
            method: "get",
            target: &canonical_target("/sdk/agents/a%20b?q=&name=x%20y/z"),
            content_hash: &content_hash(b""),
            ..list_grants(&[])
        };
        assert_eq!(sign(&get), "1e3579a07b505225d6d4ff07032c4e5871a633ede75cf2ffd5a2a2e33a78fbb0");
    }

    #[test]
    fn lines_have_one_order_and_empty_ones_are_left_out() {
        let all = Labelled {
            request_rule: "r",
            caller: "c",
            caller_type: "service",
            actor_id: "i",
            actor_context: "{}",
            target: "t",
            grant: "g",
            provider: "p",
            account: "a",
            label: "l",
            user_token: "u",
            reason: "why: because",
        };
        let lines = all.lines();
        let parts = SignedParts { constraints: Some("grants:read"), ..list_grants(&lines) };
        assert_eq!(
            parts.string_to_sign(),
            format!(
                "POST\n/sdk/grants/list\n1760000000\n{NONCE}\n{BODY_HASH}\ngrants:read\nrequest-rule:r\ncaller:c\n\
                 caller-type:service\nactor-id:i\nactor-context:{{}}\nalter-target:t\nalter-grant:g\nalter-provider:p\n\
                 alter-account:a\nalter-label:l\nalter-user-token:u\nalter-reason:why: because"
            )
        );
        let bare = list_grants(&[]).string_to_sign();
        assert!(bare.ends_with(&format!("{BODY_HASH}\n")));
        let empty = SignedParts { constraints: Some(""), ..list_grants(&[("caller", "")]) };
        assert_eq!(empty.string_to_sign(), bare);
        let reason = list_grants(&[("alter-reason", "x")]).string_to_sign();
        assert_eq!(reason, format!("{bare}\nalter-reason:x"));
    }

    #[test]
    fn every_part_is_covered() {
        let lines = [("caller", "svc"), ("alter-grant", "g")];
        let whole = SignedParts { constraints: Some("a:b"), ..list_grants(&lines) };
        let changed = [
            SignedParts { method: "PUT", ..whole },
            SignedParts { target: "/sdk/grants/lisu", ..whole },
            SignedParts { timestamp: "1760000001", ..whole },
            SignedParts { nonce: "1", ..whole },
            SignedParts { content_hash: UNSIGNED_PAYLOAD, ..whole },
            SignedParts { constraints: None, ..whole },
            SignedParts { constraints: Some("a:b,c:d"), ..whole },
            SignedParts { labelled: &[("caller", "svc")], ..whole },
            SignedParts { labelled: &[("caller", "svd"), ("alter-grant", "g")], ..whole },
            SignedParts { labelled: &[("caller-type", "svc"), ("alter-grant", "g")], ..whole },
            SignedParts {
                labelled: &[("caller", "svc"), ("alter-grant", "g"), ("alter-label", "l")],
                ..whole
            },
        ];
        let key = SigningKey::derive(&Secret::new(KEY.to_owned()));
        let signature = sign(&whole);
        assert!(key.verify(&whole.string_to_sign(), &signature));
        for parts in changed {
            assert!(!key.verify(&parts.string_to_sign(), &signature), "{}", parts.string_to_sign());
        }
    }
}
