//! The request that is sent again and again.

use alter_domain::{
    auth::{
        key_text,
        sign_request::{Content, Request as Unsigned, Signer, sign_request},
        signature::Labelled,
    },
    crypto::SigningKey,
    port::{Clock as _, SystemClock},
    secret::Secret,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::Failure;

/// Makes requests, each with a nonce of its own.
#[derive(Clone)]
pub(crate) enum Work {
    /// A plain `GET`, for everything that is not a vault.
    Get,
    /// A signed `POST /sdk/proxy`.
    Vault(std::sync::Arc<VaultCall>),
    /// A read by a browser: its path, and its cookie if it has one.
    Page { path: http::Uri, cookie: Option<HeaderValue> },
}

pub(crate) struct VaultCall {
    public_part: key_text::PublicPart,
    signing_key: SigningKey,
    /// One per grant, used in turn.
    bodies: Vec<Bytes>,
}

const PROXY: &str = "/sdk/proxy";
const PATH: &str = "/v1/customers?limit=6";

impl VaultCall {
    /// A `GET` of the upstream's list through the vault, with each of the grants in turn.
    pub(crate) fn new(
        plain_key: &Secret<String>,
        grants: &[String],
        upstream: &str,
    ) -> Result<Self, Failure> {
        let asks: Vec<Value> = grants.iter().map(|grant| json!({ "grant_id": grant })).collect();
        Self::asking(plain_key, &asks, upstream)
    }

    /// The same by whatever else names a grant: the members of each of these go into a request.
    pub(crate) fn asking(
        plain_key: &Secret<String>,
        asks: &[Value],
        upstream: &str,
    ) -> Result<Self, Failure> {
        let key = key_text::parse(plain_key.expose_secret()).ok_or("the vault's key is no key")?;
        let url = format!("{upstream}{PATH}");
        let body = |ask: &Value| {
            let mut body = json!({ "method": "GET", "url": url, "reason": "measuring" });
            if let (Some(body), Some(ask)) = (body.as_object_mut(), ask.as_object()) {
                body.extend(ask.clone());
            }
            Bytes::from(body.to_string())
        };
        Ok(Self {
            public_part: key.public_part,
            signing_key: SigningKey::derive(plain_key),
            bodies: asks.iter().map(body).collect(),
        })
    }

    pub(crate) fn request(&self, nonces: &mut Nonces) -> Result<Request<Full<Bytes>>, http::Error> {
        let (nonce, body) = (nonces.next_text(), self.body(nonces));
        let headers = sign_request(
            Signer::KeyId { public_part: &self.public_part, signing_key: &self.signing_key },
            &Unsigned {
                method: "POST",
                path_and_query: PROXY,
                content: Content::Bytes(&body),
                timestamp: SystemClock.now().as_second(),
                nonce: &nonce,
                constraints: None,
                labelled: Labelled::default(),
            },
        );
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static(PROXY);
        let target = request.headers_mut();
        target.insert(header::HOST, HeaderValue::from_static("vault"));
        target.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            target.insert(HeaderName::from_static(name), HeaderValue::try_from(value)?);
        }
        Ok(request)
    }

    /// Spread over all grants by a multiplicative hash, so that neighbours in the store do not follow each other.
    fn body(&self, nonces: &Nonces) -> Bytes {
        let count = self.bodies.len().max(1) as u64;
        let turn = nonces.next.wrapping_add(nonces.first).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        usize::try_from(turn % count).ok().and_then(|at| self.bodies.get(at)).cloned().unwrap_or_default()
    }
}

impl Work {
    pub(crate) fn request(&self, nonces: &mut Nonces) -> Result<Request<Full<Bytes>>, http::Error> {
        match self {
            Work::Vault(call) => call.request(nonces),
            Work::Page { path, cookie } => {
                let mut request = Request::new(Full::default());
                request.uri_mut().clone_from(path);
                let headers = request.headers_mut();
                headers.insert(header::HOST, HeaderValue::from_static("vault"));
                headers.extend(cookie.iter().map(|cookie| (header::COOKIE, cookie.clone())));
                Ok(request)
            }
            Work::Get => {
                let mut request = Request::new(Full::default());
                *request.uri_mut() = http::Uri::from_static(PATH);
                request.headers_mut().insert(header::HOST, HeaderValue::from_static("provider"));
                Ok(request)
            }
        }
    }
}

/// Numbers that are used once in the life of this process.
pub(crate) struct Nonces {
    first: u64,
    next: u64,
}

impl Nonces {
    /// `first` must be another number for each.
    pub(crate) fn new(first: u64) -> Self {
        Self { first, next: 0 }
    }

    fn next_text(&mut self) -> String {
        self.next += 1;
        format!("{:016x}{:016x}", self.first, self.next)
    }
}

#[cfg(test)]
mod tests {
    use alter_domain::{
        auth::Presented,
        port::{SeededRng, SystemClock},
    };

    use super::*;

    #[test]
    fn what_is_sent_verifies_and_no_nonce_repeats() {
        let key = key_text::mint_app_key(&SeededRng::new(1)).unwrap();
        let call = VaultCall::new(&key.plain, &["g".to_owned()], "http://127.0.0.1:1").unwrap();
        let mut nonces = Nonces::new(7);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let (head, _) = call.request(&mut nonces).unwrap().into_parts();
            let presented = Presented::from_head(&head, None, SystemClock.now()).unwrap();
            presented.verify(&call.signing_key).unwrap();
            presented.check_body(&call.bodies[0]).unwrap();
            assert!(seen.insert(head.headers["x-alter-nonce"].clone()));
        }
    }
}
