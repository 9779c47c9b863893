//! The identity provider of the demo: Acme ID, on the same port as the bank. It knows three people and asks nobody for a
//! password; the rest of it is an OpenID provider: discovery, keys, codes that want a proof key, a way out, and a signed word
//! about who has left (OpenID Shared Signals).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use alter_domain::{
    port::{Clock as _, SystemClock},
    secret::Secret,
};
use axum::{
    Form, Json, Router,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, header};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Host, Url};

use super::web::{Digest, escape, hash, is_client, page, random, refuse};
use crate::cli::{CliError, Result};

/// The vault's registration there.
pub(super) const CLIENT_ID: &str = "alter-vault";
/// How long a token is good. A demo that stays up for the day stays usable.
const TOKEN_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a code is: from one redirect to the next request.
const CODE_TTL: Duration = Duration::from_secs(60);

/// Somebody with an account there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Person {
    /// The `sub` of their tokens.
    pub(super) sub: &'static str,
    name: &'static str,
    groups: &'static [&'static str],
}

/// What the group of Alice is called.
pub(super) const SUPPORT: &str = "support";
pub(super) static ALICE: Person = Person { sub: "alice", name: "Alice", groups: &[SUPPORT] };
pub(super) static BOB: Person = Person { sub: "bob", name: "Bob", groups: &[] };
/// Who leaves: her account is not offered to anybody who signs in.
pub(super) static CAROL: Person = Person { sub: "carol", name: "Carol", groups: &[] };

/// The provider: its key, and the codes that nobody has used yet.
pub(super) struct AcmeId {
    issuer: String,
    client_secret: String,
    key: EcdsaKeyPair,
    /// The public half of the key, as it is published.
    jwk: Value,
    random: SystemRandom,
    codes: Mutex<HashMap<Digest, Code>>,
}

struct Code {
    person: &'static Person,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    until: Instant,
}

impl AcmeId {
    /// `origin`: where it will answer.
    pub(super) fn new(origin: &str) -> Result<Self> {
        let failed = |what: &dyn std::fmt::Display| CliError::failure("demo", format!("Acme ID: {what}."));
        let random_source = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(algorithm, &random_source).map_err(|error| failed(&error))?;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random_source)
            .map_err(|error| failed(&error))?;
        let jwk = published(key.public_key().as_ref()).ok_or_else(|| failed(&"its key is no point"))?;
        Ok(Self {
            issuer: format!("{origin}/id"),
            client_secret: random("acme_id_secret_").map_err(|error| failed(&error))?,
            key,
            jwk,
            random: random_source,
            codes: Mutex::default(),
        })
    }

    /// What its tokens say in `iss`.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn client_secret(&self) -> &str {
        &self.client_secret
    }

    /// What this person's browser has after signing in.
    pub(super) fn token(&self, person: &Person) -> Result<Secret<String>> {
        self.id_token(person, None).map(Secret::new).ok_or_else(cannot_sign)
    }

    /// What it tells a webhook, whose audience this is, when somebody's account is deleted: a security event token (RFC 8417) with
    /// RISC's `account-purged`.
    pub(super) fn account_purged(&self, person: &Person, audience: &str) -> Result<String> {
        let claims = json!({
            "iss": self.issuer, "aud": audience, "iat": SystemClock.now().as_second(),
            "jti": random("event_").map_err(|_| cannot_sign())?,
            "sub_id": { "format": "iss_sub", "iss": self.issuer, "sub": person.sub },
            "events": { "https://schemas.openid.net/secevent/risc/event-type/account-purged": {} },
        });
        self.sign("secevent+jwt", &claims).ok_or_else(cannot_sign)
    }

    /// An ID token (OpenID Connect Core 1.0 section 2).
    fn id_token(&self, person: &Person, nonce: Option<&str>) -> Option<String> {
        let now = SystemClock.now().as_second();
        let mut claims = json!({
            "iss": self.issuer, "sub": person.sub, "aud": CLIENT_ID, "azp": CLIENT_ID,
            "iat": now, "exp": now.saturating_add_unsigned(TOKEN_TTL.as_secs()),
            "name": person.name, "email": format!("{}@example.com", person.sub), "email_verified": true,
            "groups": person.groups,
        });
        if let (Some(nonce), Some(claims)) = (nonce, claims.as_object_mut()) {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        self.sign("JWT", &claims)
    }

    fn sign(&self, kind: &str, claims: &Value) -> Option<String> {
        let header = json!({ "alg": "ES256", "typ": kind, "kid": self.jwk.get("kid") });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.key.sign(&self.random, signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn codes(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Code>> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cannot_sign() -> CliError {
    CliError::failure("demo", "Acme ID cannot sign.")
}

/// A point as a JWK, named by its thumbprint (RFC 7638).
fn published(point: &[u8]) -> Option<Value> {
    // 0x04, then the two coordinates (SEC 1 section 2.3.3).
    let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let thumbprint = hash(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
    let kid = URL_SAFE_NO_PAD.encode(thumbprint);
    Some(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": kid }))
}

pub(super) fn router(provider: Arc<AcmeId>) -> Router {
    Router::new()
        .route("/id/.well-known/openid-configuration", get(discovery))
        .route("/.well-known/ssf-configuration/id", get(transmitter))
        .route("/id/jwks", get(jwks))
        .route("/id/authorize", get(authorize))
        .route("/id/decide", get(decide))
        .route("/id/token", post(token))
        .route("/id/logout", get(logout))
        .with_state(provider)
}

async fn discovery(State(provider): State<Arc<AcmeId>>) -> Json<Value> {
    let at = |path: &str| format!("{}/{path}", provider.issuer);
    Json(json!({
        "issuer": provider.issuer,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "jwks_uri": at("jwks"),
        "end_session_endpoint": at("logout"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile", "email"],
        "claims_supported": ["sub", "iss", "name", "email", "email_verified", "groups"],
    }))
}

/// OpenID Shared Signals Framework 1.0 section 7.
async fn transmitter(State(provider): State<Arc<AcmeId>>) -> Json<Value> {
    let push = "urn:ietf:rfc:8935";
    let jwks_uri = format!("{}/jwks", provider.issuer);
    Json(json!({ "issuer": provider.issuer, "jwks_uri": jwks_uri, "delivery_methods_supported": [push] }))
}

async fn jwks(State(provider): State<Arc<AcmeId>>) -> Json<Value> {
    Json(json!({ "keys": [provider.jwk] }))
}

#[derive(Deserialize)]
struct Asked {
    client_id: String,
    response_type: String,
    redirect_uri: String,
    scope: String,
    state: String,
    nonce: Option<String>,
    code_challenge: String,
    code_challenge_method: String,
}

impl Asked {
    fn is_known(&self) -> bool {
        self.client_id == CLIENT_ID
            && self.response_type == "code"
            && self.code_challenge_method == "S256"
            && self.scope.split(' ').any(|scope| scope == "openid")
            && on_this_machine(&self.redirect_uri).is_some()
    }
}

/// The address, if nobody else can be listening there. A demo has no list of its clients' addresses.
fn on_this_machine(address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let local = match url.host()? {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
        Host::Domain(name) => name == "localhost",
    };
    local.then_some(url)
}

/// A page with a link for each person; each carries the request on.
async fn authorize(Query(asked): Query<Asked>) -> Response {
    if !asked.is_known() {
        return (StatusCode::BAD_REQUEST, "This is not a request of a client that Acme ID knows.")
            .into_response();
    }
    let link = |person: &Person| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("person", person.sub)
            .append_pair("redirect_uri", &asked.redirect_uri)
            .append_pair("state", &asked.state)
            .append_pair("code_challenge", &asked.code_challenge)
            .extend_pairs(asked.nonce.iter().map(|nonce| ("nonce", nonce)));
        format!("<a href='/id/decide?{}'>Sign in as {}</a>", escape(&query.finish()), person.name)
    };
    let body = format!(
        "<h1>Acme ID</h1><p>Who are you? A demo takes your word for it.</p>{} {}",
        link(&ALICE),
        link(&BOB)
    );
    page("Acme ID", &body).into_response()
}

#[derive(Deserialize)]
struct Decision {
    person: String,
    redirect_uri: String,
    state: String,
    nonce: Option<String>,
    code_challenge: String,
}

async fn decide(State(provider): State<Arc<AcmeId>>, Query(decided): Query<Decision>) -> Response {
    let person = [&ALICE, &BOB].into_iter().find(|person| person.sub == decided.person);
    let (Some(person), Some(mut target)) = (person, on_this_machine(&decided.redirect_uri)) else {
        return (StatusCode::BAD_REQUEST, "Acme ID does not know who that is, or where to send them.")
            .into_response();
    };
    let Ok(code) = random("code_") else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    target.query_pairs_mut().append_pair("code", &code).append_pair("state", &decided.state);
    let mut codes = provider.codes();
    codes.retain(|_, code| Instant::now() < code.until);
    codes.insert(
        hash(&code),
        Code {
            person,
            redirect_uri: decided.redirect_uri,
            challenge: decided.code_challenge,
            nonce: decided.nonce,
            until: Instant::now() + CODE_TTL,
        },
    );
    Redirect::to(target.as_str()).into_response()
}

async fn token(
    State(provider): State<Arc<AcmeId>>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    if !is_client(&headers, CLIENT_ID, &provider.client_secret) {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "authorization_code" {
        return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    // Used up by any attempt.
    let code = provider.codes().remove(&hash(field("code")));
    let challenge = URL_SAFE_NO_PAD.encode(hash(field("code_verifier")));
    let fits = |code: &Code| {
        Instant::now() < code.until
            && code.redirect_uri == field("redirect_uri")
            && code.challenge == challenge
    };
    let Some(code) = code.filter(fits) else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
    };
    let (Some(id_token), Ok(access_token)) =
        (provider.id_token(code.person, code.nonce.as_deref()), random("acme_id_at_"))
    else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let answer = json!({
        "id_token": id_token, "access_token": access_token, "token_type": "Bearer",
        "expires_in": TOKEN_TTL.as_secs(), "scope": "openid profile email"
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

#[derive(Deserialize)]
struct Leaving {
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

/// OpenID Connect RP-Initiated Logout 1.0. It keeps nobody signed in, so that there is nothing to end.
async fn logout(Query(leaving): Query<Leaving>) -> Response {
    match leaving.post_logout_redirect_uri.as_deref().and_then(on_this_machine) {
        Some(mut target) => {
            if let Some(state) = &leaving.state {
                target.query_pairs_mut().append_pair("state", state);
            }
            Redirect::to(target.as_str()).into_response()
        }
        None => page("Acme ID", "<h1>Acme ID</h1><p>You are signed out.</p>").into_response(),
    }
}
