//! What the catalogue says of one provider: the schema of `data/oauth-providers.json` and of Custom OAuth.
//!
//! Texts that are templates hold `{name}` for a variable of the entry, or for one of the names that the step in question
//! provides: `{client_id}`, `{client_secret}`, `{redirect_uri}`, `{code}`, `{scope}`, `{access_token}`, `{refresh_token}`,
//! `{token}` (the token being revoked). A path into a reply is dotted (`authed_user.access_token`; a number is a place in a
//! list, `accounts.0.base_uri`); where several are given the first that is there counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Category, Certainty};

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Lowercase ASCII letters, digits and single dashes; what calls name.
    pub id: String,
    pub name: String,
    pub category: Category,
    /// Two letters at most, for where no logo is shown.
    pub monogram: String,
    /// The provider's page on its OAuth.
    pub docs_url: String,
    /// What the templates below need beside the client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    #[serde(default)]
    pub flow: Flow,
    /// Absent only where no browser is involved (`flow: jwt_bearer`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
    pub token: TokenEndpoint,
    pub scopes: ScopeSet,
    #[serde(default)]
    pub refresh: Refresh,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Revocation>,
    pub api: Api,
    /// Requests after the exchange whose answers give variables (a tenant, a data centre), in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<Lookup>,
    /// Which account it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    #[serde(default)]
    pub errors: ProviderErrors,
    /// What an operator should know, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    pub evidence: Evidence,
}

/// How a first token is obtained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// RFC 6749 section 4.1.
    #[default]
    AuthorizationCode,
    /// RFC 7523 section 2.1: an assertion signed with the operator's key; no browser, no refresh token.
    JwtBearer,
}

/// A part of an address or request that differs by connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    pub name: String,
    /// What a form says beside its field.
    pub label: String,
    pub source: VariableSource,
    /// The only values that are accepted. A variable in a host must have a shape that cannot lead elsewhere.
    pub shape: Shape,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Used when nothing gave a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// Who gives a variable its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum VariableSource {
    /// The operator, once per app.
    Operator,
    /// The end user, on the Connect page, before the provider's page opens.
    User,
    /// A parameter of the provider's redirect back to us.
    Callback { param: String },
    /// A field of the token endpoint's reply.
    Reply { path: String },
    /// Set by one of the entry's lookups.
    Lookup,
}

/// Which values a variable may have. Named shapes instead of patterns: no entry can write a careless one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// One DNS label: 1 to 63 of `a-z`, `0-9` and `-`, no dash at either end.
    DnsLabel,
    /// ASCII digits, 1 to 40.
    Digits,
    /// 1 to 200 of `A-Z`, `a-z`, `0-9`, `.`, `_`, `~`, `:` and `-`; never `.` or `..`.
    Word,
    /// Words joined by `/` (BigCommerce: `stores/abc`).
    Path,
    OneOf(Vec<String>),
    /// A host name that one of these patterns (`api.example.com`, `*.example.com`) matches. From a URL its host is taken; the
    /// URL must be https, without port or user.
    Host(Vec<String>),
}

/// The authorization request and what comes back from it (RFC 6749 section 4.1.1 and 4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    pub url: String,
    /// Added to the request. A value is a template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Added when the user is to choose an account anew, in place of `params` of the same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub switch_account_params: BTreeMap<String, String>,
    #[serde(default = "client_id")]
    pub client_id_param: String,
    #[serde(default = "scope")]
    pub scope_param: String,
    pub pkce: Pkce,
    #[serde(default)]
    pub response_mode: ResponseMode,
    #[serde(default = "code")]
    pub code_param: String,
    /// The issuer identifier that an `iss` in the redirect must equal (RFC 9207 section 2.4). A template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The provider promises to send `iss` (`authorization_response_iss_parameter_supported`): one without is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub iss_required: bool,
}

/// Whether a proof key is sent (RFC 7636, S256 only).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// Sent; the provider refuses without.
    Required,
    /// Sent.
    Supported,
    /// Not sent: it would break the flow or change what kind of client the app is.
    Breaks,
    /// Not sent: nobody has tried.
    Unknown,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    #[default]
    Query,
    /// OAuth 2.0 Form Post Response Mode: the provider posts the response.
    FormPost,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verb {
    Get,
    #[default]
    Post,
    Put,
    Patch,
    Delete,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`.
    #[default]
    Form,
    Json,
    /// Everything in the query.
    Query,
}

/// The token request for a code, and how its reply reads (RFC 6749 sections 4.1.3 and 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEndpoint {
    pub url: String,
    pub auth: ClientAuth,
    #[serde(default)]
    pub body: BodyFormat,
    #[serde(default)]
    pub method: Verb,
    /// Added to every token request, or in place of a standard parameter; an empty value takes a standard one away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Beside `Accept: application/json`, which is always sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(default = "client_id")]
    pub client_id_param: String,
    #[serde(default = "client_secret")]
    pub client_secret_param: String,
    #[serde(default = "code")]
    pub code_param: String,
    #[serde(default)]
    pub reply: TokenReply,
    /// A second exchange at once, for a token that lives longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
}

/// How the client proves itself at the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientAuth {
    /// Id and secret in the body (RFC 6749 section 2.3.1).
    Post,
    /// Id and secret form-encoded, then HTTP Basic (RFC 6749 section 2.3.1).
    Basic,
    /// A public client: its id alone.
    None,
    /// `client_assertion` (RFC 7523 section 2.2).
    PrivateKeyJwt(Assertion),
    /// The secret that is posted is itself a JWT, made for each request (Sign in with Apple).
    SecretJwt(Assertion),
}

/// A JWT signed with the operator's private key, which takes the client secret's place: field `private_key` (PEM, PKCS #8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    pub algorithm: AssertionAlgorithm,
    /// Templates. `iat`, `exp` and, where RFC 7523 wants it, `jti` are added.
    pub claims: BTreeMap<String, String>,
    /// The JOSE header `kid`, a template; a variable of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    pub lifetime_seconds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssertionAlgorithm {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
}

/// Where a token reply keeps what. The defaults are RFC 6749 section 5.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenReply {
    pub access_token: Vec<String>,
    pub refresh_token: Vec<String>,
    /// Seconds from now, a number or its text.
    pub expires_in: Vec<String>,
    /// A moment: RFC 3339, or Unix seconds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expires_at: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refresh_expires_in: Vec<String>,
    /// A text with the entry's separator, a comma or a space, or a list.
    pub scope: Vec<String>,
    /// What a reply with a success status must hold to be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<SuccessFlag>,
    /// Where an error's code stands; one that is there (and not null, false or 0) is an error whatever the status.
    pub error: Vec<String>,
    pub error_description: Vec<String>,
}

impl Default for TokenReply {
    fn default() -> Self {
        let one = |text: &str| vec![text.to_owned()];
        Self {
            access_token: one("access_token"),
            refresh_token: one("refresh_token"),
            expires_in: one("expires_in"),
            expires_at: Vec::new(),
            refresh_expires_in: Vec::new(),
            scope: one("scope"),
            success: None,
            error: one("error"),
            error_description: one("error_description"),
        }
    }
}

/// `{"ok": true}`, `{"code": 0}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessFlag {
    pub path: String,
    pub equals: serde_json::Value,
}

/// An exchange of a short-lived token for one that lives longer; its reply reads like the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    pub url: String,
    #[serde(default)]
    pub method: Verb,
    #[serde(default)]
    pub body: BodyFormat,
    /// All parameters, templates.
    pub params: BTreeMap<String, String>,
}

/// The scopes that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeSet {
    /// Between scopes in a request: a space (RFC 6749 section 3.3) or a comma.
    #[serde(default = "space")]
    pub separator: String,
    /// Those that people know. An operator may name others: providers add scopes faster than any list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<ScopeInfo>,
    /// Always asked for, beside what the operator chose (a refresh token's condition, an account's identity).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub always: Vec<String>,
    /// The provider has no scopes: permissions belong to the app's registration there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub none: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeInfo {
    pub scope: String,
    /// What the app could then do, in plain words that follow "It will be able to": `read your calendar`.
    pub description: String,
    /// Proposed to the operator as a default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
}

/// How an access token is renewed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    #[serde(default)]
    pub kind: RefreshKind,
    /// When it is not the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Verb>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyFormat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<ClientAuth>,
    /// Added, or in place of a standard parameter; an empty value takes it away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    #[serde(default)]
    pub rotation: RefreshTokenRotation,
    #[serde(default)]
    pub grace: Grace,
    /// Life of an access token in seconds, where the reply does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_ttl_seconds: Option<u64>,
    /// How long a refresh token lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// What has to be done to get a refresh token at all, as a sentence for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshKind {
    /// Access tokens do not expire, or the user has to come back.
    #[default]
    None,
    /// RFC 6749 section 6.
    RefreshToken,
    /// The access token itself is sent for a new one, before it expires.
    AccessToken,
    /// A new assertion is signed (`flow: jwt_bearer`).
    Assertion,
}

/// What becomes of a refresh token when it is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshTokenRotation {
    /// The same one goes on working.
    #[default]
    Never,
    /// A new one may come; if none does, the old one goes on working.
    Sometimes,
    /// Single use: a new one comes every time.
    Always,
}

/// What happens when a refresh token is sent a second time, because a reply was lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Grace {
    /// It is refused, and the whole line may be revoked (RFC 9700 section 4.14.2). Assumed where nothing is known.
    #[default]
    None,
    /// It works again for so many seconds after its first use.
    Seconds(u64),
    /// It works until its successor has been used.
    UntilSuccessorUsed,
    /// It does not rotate: sending it again is always safe.
    Always,
}

/// The life of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    pub seconds: u64,
    /// Counted from its last use: using it in time keeps it alive. Otherwise from the day it was issued, whatever is done.
    pub idle: bool,
}

/// How the provider is told that access ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    pub url: String,
    #[serde(default)]
    pub method: Verb,
    #[serde(default)]
    pub body: BodyFormat,
    #[serde(default)]
    pub auth: RevocationAuth,
    /// All parameters. Left out, they are those of RFC 7009 section 2.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Which token is told. One that ends the whole grant is enough.
    #[serde(default)]
    pub token: RevokedToken,
    /// Statuses that mean that it is gone, beside 2xx (404 where the provider answers so for a token it has forgotten).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_success: Vec<u16>,
    /// What a 2xx body must hold to be a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<SuccessFlag>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RevocationAuth {
    /// As at the token endpoint.
    #[default]
    Client,
    /// HTTP Basic, whatever the token endpoint uses.
    Basic,
    /// `Authorization: Bearer` and the access token.
    Bearer,
    /// A header of its own: name, and a template for its value.
    Header { name: String, value: String },
    None,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedToken {
    /// The refresh token, or the access token where there is none.
    #[default]
    Refresh,
    Access,
    /// One after the other.
    Both,
}

/// Where calls go and how they carry the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Exact names or `*.suffix`, templates: the egress allow-list.
    pub hosts: Vec<String>,
    /// An https origin that calls can start from, a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    #[serde(default = "authorization")]
    pub header: String,
    /// Of the header, with `{access_token}`.
    #[serde(default = "bearer")]
    pub format: String,
    /// Headers that every call needs, set when the caller does not. Values are templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// A request with the fresh access token (as calls carry it), to one of the provider's API or token hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnRequest {
    pub url: String,
    #[serde(default = "get")]
    pub method: Verb,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Sent as JSON (GraphQL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// Instead of the header that calls carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<String>,
}

/// A request whose answer gives variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    pub request: OwnRequest,
    /// Variable to path.
    pub set: BTreeMap<String, String>,
}

/// Where it stands which account was connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub source: AccountSource,
    /// Paths. Stable: it tells two accounts apart.
    pub identifier: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display_name: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AccountSource {
    /// The token endpoint's reply.
    Reply,
    /// Claims of the reply's `id_token`, taken over the TLS connection to the token endpoint (OpenID Connect Core section
    /// 3.1.3.7, point 6): shown to people, never proof of who they are.
    IdToken,
    /// The entry's variables: paths are their names.
    Variables,
    Request(OwnRequest),
}

/// What this provider calls things that RFC 6749 section 5.2 names otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderErrors {
    /// Codes of the token endpoint that mean that the refresh token is dead, beside `invalid_grant`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dead: Vec<String>,
    /// Codes that mean that it may be tried again although they look final.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transient: Vec<String>,
}

/// Where an entry comes from. High needs two sources that agree or the official page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub sources: Vec<String>,
    /// Year and month.
    pub date: String,
    /// Of URLs and hosts.
    pub endpoints: Certainty,
    /// Of lifetimes, rotation, revocation.
    pub behaviour: Certainty,
}

fn client_id() -> String {
    "client_id".to_owned()
}

fn client_secret() -> String {
    "client_secret".to_owned()
}

fn code() -> String {
    "code".to_owned()
}

fn scope() -> String {
    "scope".to_owned()
}

fn space() -> String {
    " ".to_owned()
}

fn authorization() -> String {
    "Authorization".to_owned()
}

fn bearer() -> String {
    "Bearer {access_token}".to_owned()
}

fn get() -> Verb {
    Verb::Get
}
