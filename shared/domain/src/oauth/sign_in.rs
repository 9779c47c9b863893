//! The code exchange of a sign-in at an identity provider (OpenID Connect Core 1.0 section 3.1.3), and what its token leaves out
//! of the user's profile (section 5.3).
//!
//! An identity provider is no entry of the catalogue: its metadata says where it answers. Sending, bounds and client
//! authentication are the engine's own.

use http::{HeaderMap, header};
use serde_json::Value;

use super::{
    BodyFormat, Client, Engine, EngineError, ExchangeError, Verb,
    client::basic,
    document::Document,
    names::Params,
    send::{Answer, Outgoing, sensitive, standard_headers},
};
use crate::{egress::Target, secret::Secret};

/// A code on its way to the identity provider's token endpoint.
#[derive(Debug, Clone, Copy)]
pub struct CodeForIdToken<'a> {
    pub token_endpoint: &'a str,
    /// How the endpoint lets clients prove themselves; empty is `client_secret_basic` (OpenID Connect Discovery section 3).
    pub auth_methods: &'a [String],
    pub client: Client<'a>,
    pub code: &'a Secret<String>,
    /// RFC 7636 section 4.1.
    pub verifier: &'a str,
}

/// What the identity provider gave. Nothing in it has been verified.
#[derive(Debug, Clone)]
pub struct IdToken {
    pub id_token: Secret<String>,
    /// For [`Engine::user_info`]; it is kept nowhere.
    pub access_token: Option<Secret<String>>,
}

/// The claims of a userinfo reply, for whoever knows whose they must be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserInfo {
    pub sub: String,
    pub email: Option<Value>,
    pub name: Option<Value>,
}

/// How a client proves itself at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Basic,
    Post,
    /// A public client, which has nothing to prove itself by.
    Name,
}

impl Engine<'_> {
    /// Exchanges a code for an ID token.
    pub async fn exchange_for_id_token(&self, asked: &CodeForIdToken<'_>) -> Result<IdToken, ExchangeError> {
        let target = Target::parse(asked.token_endpoint, &self.rules).map_err(EngineError::from)?;
        let mut ways = ways(asked)?.into_iter().peekable();
        loop {
            let way = ways.next().ok_or(EngineError::Entry("it takes no secret of a client"))?;
            let read = id_token(self.send(request(asked, way, target.clone())?).await?);
            match read {
                // The metadata tells what the server can do, not how this client is registered; one that it does not know has
                // not used the code up.
                Err(ExchangeError::Client { .. }) if ways.peek().is_some() => {}
                read => return read,
            }
        }
    }

    /// What the userinfo endpoint says of the user. A signed or encrypted reply is not read.
    pub async fn user_info(
        &self,
        endpoint: &str,
        access_token: &Secret<String>,
    ) -> Result<UserInfo, ExchangeError> {
        let target = Target::parse(endpoint, &self.rules).map_err(EngineError::from)?;
        let mut headers = standard_headers();
        let bearer = zeroize::Zeroizing::new(format!("Bearer {}", access_token.expose_secret()));
        headers.insert(header::AUTHORIZATION, sensitive("authorization", &bearer)?);
        let answer = self.send(Outgoing::with_json(target, Verb::Get, None, headers)).await?;
        let document = document(answer)?;
        let sub = document.at("sub").and_then(Value::as_str);
        let sub = sub.ok_or_else(|| ExchangeError::Reply("it names nobody".to_owned()))?.to_owned();
        Ok(UserInfo { sub, email: document.at("email").cloned(), name: document.at("name").cloned() })
    }
}

/// The ways that the client can go, in the order in which they are tried.
fn ways(asked: &CodeForIdToken<'_>) -> Result<Vec<Way>, EngineError> {
    if asked.client.field("client_secret").is_none() {
        return Ok(vec![Way::Name]);
    }
    let takes = |method: &str| asked.auth_methods.iter().any(|listed| listed == method);
    let mut ways = Vec::new();
    if takes("client_secret_basic") || asked.auth_methods.is_empty() {
        ways.push(Way::Basic);
    }
    if takes("client_secret_post") {
        ways.push(Way::Post);
    }
    Ok(ways)
}

fn request(asked: &CodeForIdToken<'_>, way: Way, target: Target) -> Result<Outgoing, EngineError> {
    let client = &asked.client;
    let mut headers: HeaderMap = standard_headers();
    let mut params = Params::default();
    params.set("grant_type", "authorization_code");
    params.set("code", asked.code.expose_secret());
    params.set("redirect_uri", client.redirect_uri);
    params.set("code_verifier", asked.verifier);
    let secret = client.field("client_secret").map_or("", |secret| secret.expose_secret());
    match way {
        Way::Basic => {
            basic(client.client_id, secret, &mut headers)?;
        }
        Way::Post => {
            params.set("client_id", client.client_id);
            params.set("client_secret", secret);
        }
        Way::Name => params.set("client_id", client.client_id),
    }
    Outgoing::with_params(target, Verb::Post, BodyFormat::Form, &params, headers)
}

fn id_token(answer: Answer) -> Result<IdToken, ExchangeError> {
    let document = document(answer)?;
    let token = |name| document.at(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id_token = token("id_token").ok_or_else(|| ExchangeError::Reply("it has no ID token".to_owned()))?;
    Ok(IdToken {
        id_token: Secret::new(id_token.to_owned()),
        access_token: token("access_token").map(|token| Secret::new(token.to_owned())),
    })
}

/// The document of a success. Of an error only codes that a specification names are told: another text could be anything that
/// was sent.
fn document(answer: Answer) -> Result<Document, ExchangeError> {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return answer.document.map_err(|why| ExchangeError::Reply(format!("it {why}")));
    }
    let document = answer.document.ok();
    let said = document.as_ref().and_then(|document| document.at("error")).and_then(Value::as_str);
    let code = said.and_then(|said| KNOWN.into_iter().find(|known| *known == said));
    let text = code.map_or_else(|| format!("http_{status}"), str::to_owned);
    Err(match (code, status) {
        (Some("invalid_grant"), _) => ExchangeError::Dead { code: text, description: None },
        (Some("invalid_client" | "unauthorized_client" | "unsupported_grant_type"), _) | (None, 401) => {
            ExchangeError::Client { code: text, description: None }
        }
        (Some("temporarily_unavailable" | "server_error"), _) | (_, 408 | 429 | 500..) => {
            ExchangeError::Unknown(format!("it answered {text}"))
        }
        _ => ExchangeError::Refused { code: text, description: None },
    })
}

/// RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1.
const KNOWN: [&str; 10] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_token",
    "access_denied",
    "server_error",
    "temporarily_unavailable",
];

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::inject::CredentialFields;

    fn asked<'a>(
        secret: Option<&'a CredentialFields>,
        methods: &'a [String],
        code: &'a Secret<String>,
    ) -> CodeForIdToken<'a> {
        let client = Client { client_id: "vault", secret, redirect_uri: "https://vault.example/cb" };
        let token_endpoint = "https://idp.example/token";
        CodeForIdToken { token_endpoint, auth_methods: methods, client, code, verifier: "v" }
    }

    #[test]
    fn a_client_goes_the_ways_that_the_metadata_lists() {
        let fields = [("client_secret", Secret::new("s3cret-of-the-client".to_owned()))];
        let fields = CredentialFields::from_pairs(fields, &[]).unwrap();
        let code = Secret::new("c0de".to_owned());
        let cases: [(&[&str], &[Way]); 5] = [
            (&[], &[Way::Basic]),
            (&["client_secret_post"], &[Way::Post]),
            (&["client_secret_post", "client_secret_basic", "none"], &[Way::Basic, Way::Post]),
            (&["private_key_jwt"], &[]),
            (&["none"], &[]),
        ];
        for (methods, expected) in cases {
            let methods: Vec<_> = methods.iter().map(|method| (*method).to_owned()).collect();
            assert_eq!(ways(&asked(Some(&fields), &methods, &code)).unwrap(), expected, "{methods:?}");
            assert_eq!(ways(&asked(None, &methods, &code)).unwrap(), [Way::Name]);
        }
    }

    #[test]
    fn errors_are_told_by_names_that_a_specification_knows() {
        let answer = |status: u16, body: Value| Answer {
            status: StatusCode::from_u16(status).unwrap(),
            document: Ok(Document::new(body)),
        };
        let error = |status, body| id_token(answer(status, body)).unwrap_err();
        let code = |code: &str| json!({ "error": code });
        assert!(matches!(error(400, code("invalid_grant")), ExchangeError::Dead { .. }));
        assert!(matches!(error(401, code("invalid_client")), ExchangeError::Client { .. }));
        assert!(matches!(error(401, json!({})), ExchangeError::Client { .. }));
        assert!(matches!(error(400, code("access_denied")), ExchangeError::Refused { .. }));
        assert!(matches!(error(503, json!({})), ExchangeError::Unknown(_)));
        assert!(matches!(error(302, json!({})), ExchangeError::Refused { .. }));
        assert!(matches!(error(200, json!({ "access_token": "a" })), ExchangeError::Reply(_)));
        let echoed = error(400, code("code c0de-canary is not known"));
        assert!(!format!("{echoed:?}").contains("canary"));
        assert_eq!(id_token(answer(200, json!({ "id_token": "t" }))).unwrap().id_token.expose_secret(), "t");
    }
}
