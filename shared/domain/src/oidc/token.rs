//! The rules for tokens of an identity provider (RFC 7519, RFC 8725, RFC 9068, OpenID Connect Core 1.0 section 3.1.3.7): pure.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    claims::{self, ClaimNames},
    jwks::KeySet,
    jws::{self, Types},
};

/// The longest token that is looked at. Providers' tokens have one or two thousand characters, some with groups more.
pub const MAX_TOKEN_CHARS: usize = 8192;

/// What a user's token has to say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// `iss`, character by character.
    pub issuer: &'a str,
    /// Has to be in `aud`, if configured.
    pub audience: Option<&'a str>,
    /// The vault's own client at the provider: its ID tokens are taken whatever the audience.
    pub client_id: Option<&'a str>,
    pub claims: &'a ClaimNames,
}

/// What a token says that was signed by its issuer, is in force, and is for us. `Debug` shows the subject only.
#[derive(Clone, PartialEq, Eq)]
pub struct Verified {
    /// Value of the claim that is configured as the user's id.
    pub subject: String,
    pub sub: String,
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    pub name: Option<String>,
    /// `None`: no claim is configured, or the token has none.
    pub groups: Option<Vec<String>>,
    pub roles: Option<Vec<String>>,
    /// `iat`, seconds.
    pub issued_at: Option<i64>,
    /// `exp`, seconds. The token is taken until [`LEEWAY_SECONDS`](Verified::LEEWAY_SECONDS) later.
    pub expires_at: i64,
    /// `auth_time`, seconds: when the user was last asked who they are.
    pub authenticated_at: Option<i64>,
    pub audience: Vec<String>,
    /// `azp`, as it stands there.
    pub authorized_party: Option<String>,
    pub nonce: Option<String>,
    /// `sid`: the session at the provider, which a back-channel logout names.
    pub session_id: Option<String>,
}

/// Why a token is refused. For logs: whoever presented it learns only that it is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("longer than {MAX_TOKEN_CHARS} characters")]
    TooLong,
    #[error("not three parts of base64url with JSON objects whose members stand once")]
    Malformed,
    #[error("the algorithm is not one of RS, PS, ES and EdDSA")]
    Algorithm,
    #[error("a critical header that is not understood")]
    Critical,
    #[error("not a token of this type")]
    Type,
    /// Newer keys may have it.
    #[error("no key of the issuer fits")]
    UnknownKey,
    #[error("the signature is wrong")]
    Signature,
    #[error("the claim `{0}` is absent or malformed")]
    Claim(&'static str),
    #[error("another issuer")]
    Issuer,
    #[error("for another audience")]
    Audience,
    #[error("for another client")]
    AuthorizedParty,
    #[error("expired")]
    Expired,
    #[error("not in force yet")]
    NotYetValid,
    #[error("the e-mail address that names the user is not verified")]
    EmailNotVerified,
}

/// Checks a user's ID or access token.
///
/// # Errors
/// [`TokenError`]; [`TokenError::UnknownKey`] is worth another try with newer keys.
pub fn verify(
    token: &str,
    keys: &KeySet,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Verified, TokenError> {
    let claims = jws::claims(token, keys, USER_TOKEN)?;
    check_issuer(&claims, expected.issuer)?;
    let (expires_at, issued_at) = check_times(&claims, now, Expiry::Required)?;
    let audience = check_audience(&claims, expected)?;
    // Logout tokens and security events may be signed by the same keys for the same audience; they are nobody's sign-in
    // (OpenID Connect Back-Channel Logout 1.0 section 2.4, RFC 8417 section 4.5).
    if claims.contains_key("events") {
        return Err(TokenError::Type);
    }
    let sub = claims::identifier(claims.get("sub")).ok_or(TokenError::Claim("sub"))?;
    let names = expected.claims;
    let subject = claims::find(&claims, &names.user_id);
    let subject = claims::identifier(subject).ok_or(TokenError::Claim("user id"))?;
    let email_verified = flag(claims.get("email_verified"));
    // Anybody can type in anybody's address: where it is the identity, the provider must not say that it is unchecked.
    if names.user_id == "email" && email_verified == Some(false) {
        return Err(TokenError::EmailNotVerified);
    }
    let list = |name: Option<&str>, what| match name.and_then(|name| claims::find(&claims, name)) {
        None => Ok(None),
        Some(value) => claims::names(value).map(Some).map_err(|()| TokenError::Claim(what)),
    };
    let text = |name| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Verified {
        groups: list(names.groups.as_deref(), "groups")?,
        roles: list(names.roles.as_deref(), "roles")?,
        subject: subject.to_owned(),
        sub: sub.to_owned(),
        email: claims::display(claims.get("email")),
        email_verified,
        name: claims::display(claims.get("name")),
        issued_at,
        expires_at,
        authenticated_at: claims.get("auth_time").and_then(claims::numeric_date),
        audience,
        authorized_party: text("azp"),
        nonce: text("nonce"),
        session_id: claims::identifier(claims.get("sid")).map(str::to_owned),
    })
}

/// Which token tells of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// RFC 8417, with the explicit type `secevent+jwt` (OpenID Shared Signals Framework 1.0 section 4.1.1).
    SecurityEvent,
    /// OpenID Connect Back-Channel Logout 1.0 section 2.4. The type `logout+jwt` is recommended, not required.
    Logout,
}

/// What a token that tells of an event has to say.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedEvent<'a> {
    pub kind: EventKind,
    pub issuer: &'a str,
    /// One of these has to be in `aud`. None at all refuses everything.
    pub audiences: &'a [&'a str],
}

/// A token that tells of an event, signed by its issuer and meant for us.
#[derive(Clone, PartialEq, Eq)]
pub struct EventToken {
    /// `jti`: once per issuer.
    pub id: String,
    /// `iat`, seconds. How old is too old is the caller's to say.
    pub issued_at: i64,
    /// The member `events`: event types as URIs, each with an object.
    pub events: Map<String, Value>,
    /// All claims.
    pub claims: Map<String, Value>,
}

impl EventToken {
    /// Event type of a logout token.
    pub const LOGOUT: &'static str = "http://schemas.openid.net/event/backchannel-logout";
}

/// Checks a security event token or a logout token.
///
/// # Errors
/// [`TokenError`]; [`TokenError::UnknownKey`] is worth another try with newer keys.
pub fn verify_event_token(
    token: &str,
    keys: &KeySet,
    expected: &ExpectedEvent<'_>,
    now: Timestamp,
) -> Result<EventToken, TokenError> {
    let logout = expected.kind == EventKind::Logout;
    let claims = jws::claims(token, keys, if logout { LOGOUT_TOKEN } else { SECURITY_EVENT })?;
    check_issuer(&claims, expected.issuer)?;
    let (_, issued_at) = check_times(&claims, now, if logout { Expiry::Required } else { Expiry::Optional })?;
    let issued_at = issued_at.ok_or(TokenError::Claim("iat"))?;
    let audience = claims::audience(claims.get("aud")).ok_or(TokenError::Claim("aud"))?;
    if !audience.iter().any(|one| expected.audiences.contains(&one.as_str())) {
        return Err(TokenError::Audience);
    }
    let id = claims::identifier(claims.get("jti")).ok_or(TokenError::Claim("jti"))?.to_owned();
    let events = match claims.get("events") {
        Some(Value::Object(events)) if !events.is_empty() && events.values().all(Value::is_object) => {
            events.clone()
        }
        _ => return Err(TokenError::Claim("events")),
    };
    if logout {
        if !events.contains_key(EventToken::LOGOUT) {
            return Err(TokenError::Claim("events"));
        }
        // Section 2.4: forbidden, so that no logout token passes for an ID token, nor the other way round.
        if claims.contains_key("nonce") {
            return Err(TokenError::Claim("nonce"));
        }
        let named = |name| match claims.get(name) {
            None => Ok(false),
            value => claims::identifier(value).map(|_| true).ok_or(TokenError::Claim(name)),
        };
        if !(named("sub")? | named("sid")?) {
            return Err(TokenError::Claim("sub"));
        }
    }
    Ok(EventToken { id, issued_at, events, claims })
}

impl Verified {
    /// By how much our clock and the provider's may differ.
    pub const LEEWAY_SECONDS: i64 = 60;

    /// Whether the token has ended at this time.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.as_second() >= self.expires_at.saturating_add(Self::LEEWAY_SECONDS)
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl fmt::Debug for EventToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// ID tokens and access tokens (RFC 9068 section 2.1).
const USER_TOKEN: Types = Types { named: &["jwt", "at+jwt"], absent: true };
const SECURITY_EVENT: Types = Types { named: &["secevent+jwt"], absent: false };
const LOGOUT_TOKEN: Types = Types { named: &["logout+jwt", "jwt"], absent: true };

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expiry {
    Required,
    Optional,
}

fn check_issuer(claims: &Map<String, Value>, issuer: &str) -> Result<(), TokenError> {
    match claims.get("iss") {
        Some(Value::String(claimed)) if claimed == issuer => Ok(()),
        Some(Value::String(_)) => Err(TokenError::Issuer),
        _ => Err(TokenError::Claim("iss")),
    }
}

/// `exp` (0 where it may be absent and is) and `iat`, with `nbf` checked too.
fn check_times(
    claims: &Map<String, Value>,
    now: Timestamp,
    expiry: Expiry,
) -> Result<(i64, Option<i64>), TokenError> {
    let date = |name| match claims.get(name) {
        None => Ok(None),
        Some(value) => claims::numeric_date(value).map(Some).ok_or(TokenError::Claim(name)),
    };
    let (expires, begins, issued) = (date("exp")?, date("nbf")?, date("iat")?);
    let now = now.as_second();
    match expires {
        None if expiry == Expiry::Required => return Err(TokenError::Claim("exp")),
        Some(expires) if now >= expires.saturating_add(Verified::LEEWAY_SECONDS) => {
            return Err(TokenError::Expired);
        }
        Some(_) | None => {}
    }
    let latest = now.saturating_add(Verified::LEEWAY_SECONDS);
    if begins.is_some_and(|begins| begins > latest) || issued.is_some_and(|issued| issued > latest) {
        return Err(TokenError::NotYetValid);
    }
    Ok((expires.unwrap_or_default(), issued))
}

/// The configured audience, or our own client's. A token for several audiences of which ours is the client must have been
/// issued to it (OpenID Connect Core 1.0 section 3.1.3.7, points 4 and 5).
fn check_audience(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<Vec<String>, TokenError> {
    let audience = claims::audience(claims.get("aud")).ok_or(TokenError::Claim("aud"))?;
    let Some(wanted) = expected.audience else { return Ok(audience) };
    let has = |one: &str| audience.iter().any(|listed| listed == one);
    match expected.client_id {
        _ if has(wanted) && expected.client_id != Some(wanted) => Ok(audience),
        Some(client) if has(client) => {
            let ours = claims.get("azp").and_then(Value::as_str) == Some(client);
            if audience.len() > 1 && !ours { Err(TokenError::AuthorizedParty) } else { Ok(audience) }
        }
        _ => Err(TokenError::Audience),
    }
}

/// A truth value, which some providers write as text.
fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}
