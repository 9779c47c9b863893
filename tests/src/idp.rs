//! An identity provider on loopback, over real TCP: discovery, keys, and tokens by its hand.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use alter_api_types::{IdpId, UserId};
use alter_domain::{
    model::{Identity, IdentityProvider, IdpEndpoints, Principal},
    oidc::{ClaimNames, IdpKind},
    port::{Clock as _, ManualClock},
    repo::IdentityProviders,
};
use axum::body::Body;
use http::{HeaderValue, Response, header};
use serde_json::{Value, json};

use crate::{
    GrantSpec, Received, TestApp, TokenSpec, Upstream,
    idp_sign_in::Desk,
    json_reply, reply,
    token::{SigningKey, rsa_jwk},
};

/// What tests do not say: the time of a vault that was just built.
const START: &str = "2026-03-01T12:00:00Z";
/// How the endpoint of its keys answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdpFault {
    #[default]
    None,
    /// 503.
    Down,
    /// Takes the request and never answers.
    Silent,
    /// More than anybody may be made to read.
    Huge,
    /// 200 and a page for people.
    NotJson,
    /// 200 and a set without a key.
    NoKeys,
    /// 302 to where its keys are.
    Redirect,
}

/// The identity provider. It goes away with this value.
pub struct TestIdp {
    server: Upstream,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The published keys, newest last.
    keys: Mutex<Vec<Arc<SigningKey>>>,
    fault: Mutex<IdpFault>,
    clock: Mutex<Option<Arc<ManualClock>>>,
    discoveries: AtomicU64,
    key_fetches: AtomicU64,
    desk: Desk,
}

impl TestIdp {
    pub async fn start() -> Self {
        let state = Arc::new(State { keys: Mutex::new(vec![SigningKey::generate()]), ..State::default() });
        let keep = Arc::clone(&state);
        let server = Upstream::serving(move |received| {
            let state = Arc::clone(&keep);
            async move { state.answer(&received).await }
        })
        .await;
        Self { server, state }
    }

    pub fn issuer(&self) -> String {
        self.server.url("")
    }

    /// A token for this `sub`, good for an hour.
    pub fn token(&self, sub: &str) -> String {
        self.claims(sub).sign()
    }

    /// A token under construction.
    pub fn claims(&self, sub: &str) -> TokenSpec {
        let key = Arc::clone(self.state.keys.lock().unwrap().last().expect("a key"));
        TokenSpec::new(&self.issuer(), sub, self.state.now(), key)
    }

    /// Signs by a new key from now on, and publishes the old ones no more.
    pub fn rotate(&self) {
        *self.state.keys.lock().unwrap() = vec![SigningKey::generate()];
    }

    /// How the endpoint of the keys answers from now on.
    pub fn fail(&self, fault: IdpFault) {
        *self.state.fault.lock().unwrap() = fault;
    }

    /// How often its keys were asked for.
    pub fn key_fetches(&self) -> u64 {
        self.state.key_fetches.load(Ordering::SeqCst)
    }

    /// How often its discovery document was asked for.
    pub fn discoveries(&self) -> u64 {
        self.state.discoveries.load(Ordering::SeqCst)
    }

    /// All requests to it.
    pub fn requests(&self) -> u64 {
        self.server.hits()
    }

    /// Tokens are of this clock's time.
    pub fn follow(&self, clock: &Arc<ManualClock>) {
        *self.state.clock.lock().unwrap() = Some(Arc::clone(clock));
    }

    /// What its discovery document says.
    pub fn discovery(&self) -> Value {
        discovery(&self.issuer())
    }

    /// The address of its keys.
    pub fn jwks_uri(&self) -> String {
        self.server.url("/jwks")
    }

    /// The keys as they are published.
    pub fn jwks(&self) -> Value {
        self.state.jwks()
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.state.desk
    }
}

impl State {
    async fn answer(&self, received: &Received) -> Response<Body> {
        let base = format!("http://{}", received.header("host").unwrap_or_default());
        match received.target.as_str() {
            "/.well-known/openid-configuration" => {
                self.discoveries.fetch_add(1, Ordering::SeqCst);
                json_reply(200, &discovery(&base))
            }
            "/jwks" => {
                self.key_fetches.fetch_add(1, Ordering::SeqCst);
                let fault = *self.fault.lock().unwrap();
                match fault {
                    IdpFault::None => json_reply(200, &self.jwks()),
                    IdpFault::Down => reply(503, "later"),
                    IdpFault::Silent => std::future::pending().await,
                    IdpFault::Huge => {
                        json_reply(200, &json!({ "keys": [], "padding": "x".repeat(300 * 1024) }))
                    }
                    IdpFault::NotJson => reply(200, "<html>Welcome</html>"),
                    IdpFault::NoKeys => json_reply(200, &json!({ "keys": [] })),
                    IdpFault::Redirect => {
                        let mut answer = reply(302, "");
                        let to = HeaderValue::from_str(&format!("{base}/moved")).expect("an address");
                        answer.headers_mut().insert(header::LOCATION, to);
                        answer
                    }
                }
            }
            "/moved" => json_reply(200, &self.jwks()),
            "/token" => self.desk.token(received).await,
            "/userinfo" => self.desk.user_info(received),
            _ => reply(404, ""),
        }
    }

    fn jwks(&self) -> Value {
        let keys = self.keys.lock().unwrap();
        let ec = keys.iter().map(|key| key.jwk());
        json!({ "keys": ec.chain([rsa_jwk()]).collect::<Vec<_>>() })
    }

    fn now(&self) -> i64 {
        let clock = self.clock.lock().unwrap();
        let start = || START.parse().expect("a time");
        clock.as_ref().map_or_else(start, |clock| clock.now()).as_second()
    }
}

impl TestApp {
    /// Gives the app this identity provider, reading `sub`, `groups` and `roles`; its tokens are of the vault's time from now on.
    pub async fn identity_provider(&self, idp: &TestIdp) -> IdentityProvider {
        self.identity_provider_as(idp, |as_it_is| as_it_is).await
    }

    /// The same, changed before it is written.
    pub async fn identity_provider_as(
        &self,
        idp: &TestIdp,
        change: impl FnOnce(IdentityProvider) -> IdentityProvider,
    ) -> IdentityProvider {
        idp.follow(&self.vault.clock);
        let issuer = idp.issuer();
        let now = self.vault.now();
        let claims = ClaimNames::new("sub".to_owned(), Some("groups".to_owned()), Some("roles".to_owned()));
        let provider = change(IdentityProvider {
            id: IdentityProvider::id_of(self.id, &issuer),
            org_id: self.org,
            app_id: self.id,
            kind: IdpKind::CustomOidc,
            endpoints: IdpEndpoints {
                jwks_uri: idp.jwks_uri(),
                authorization: format!("{issuer}/authorize"),
                token: format!("{issuer}/token"),
                userinfo: None,
                end_session: None,
                token_auth_methods: Vec::new(),
                names_itself: false,
            },
            issuer,
            claims: claims.expect("names of claims"),
            audience: None,
            client: None,
            webhooks: std::collections::BTreeMap::default(),
            first_sign_in_at: None,
            created_at: now,
            updated_at: now,
        });
        IdentityProviders(self.vault.calm().table.as_ref()).create(&provider).await.unwrap();
        provider
    }

    /// The id of whom the identity provider calls by this `sub`, whether the vault has seen them or not.
    pub fn user_of(&self, idp: &TestIdp, sub: &str) -> UserId {
        let identity = Identity { issuer: idp.issuer(), claim: "sub".to_owned(), subject: sub.to_owned() };
        identity.user_id(self.org)
    }
}

impl GrantSpec {
    /// Of this user, as their id is computed from the token.
    pub fn of_user(user_id: UserId, label: &str) -> Self {
        Self { principal: Principal::User { user_id }, label: Some(label.to_owned()), expires_at: None }
    }

    /// Of a group that this identity provider knows.
    pub fn of_group(idp_id: IdpId, group: &str, label: &str) -> Self {
        let principal = Principal::Group { idp_id, external_group_id: group.to_owned() };
        Self { principal, label: Some(label.to_owned()), expires_at: None }
    }
}

fn discovery(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/jwks"),
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
    })
}
