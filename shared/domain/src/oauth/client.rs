//! The operator's registration at the provider, and how it proves itself.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use zeroize::Zeroizing;

use super::{
    Assertion, ClientAuth, EngineError, TokenEndpoint,
    assertion::{Jti, sign},
    names::{Names, Params},
    send::sensitive,
    token::Engine,
};
use crate::{inject::CredentialFields, secret::Secret};

/// A client as the operator registered it.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    pub client_id: &'a str,
    /// Field `client_secret`, or `private_key`: PEM in one line, as [`one_line_pem`](super::one_line_pem) makes it.
    pub secret: Option<&'a CredentialFields>,
    pub redirect_uri: &'a str,
}

impl<'a> Client<'a> {
    pub(super) fn field(&self, name: &str) -> Option<&'a Secret<String>> {
        self.secret.and_then(|fields| fields.get(name))
    }
}

impl Engine<'_> {
    /// Adds what proves the client, to parameters or headers. A JWT that takes the secret's place gets its name.
    pub(super) fn authenticate(
        &self,
        auth: &ClientAuth,
        endpoint: &TokenEndpoint,
        client: &Client<'_>,
        names: &mut Names<'_>,
        params: &mut Params,
        headers: &mut HeaderMap,
    ) -> Result<(), EngineError> {
        match auth {
            ClientAuth::Post => {
                params.set(&endpoint.client_id_param, client.client_id);
                params.set(&endpoint.client_secret_param, secret(names)?);
            }
            ClientAuth::Basic => {
                let sent = basic(client.client_id, secret(names)?, headers)?;
                names.hide(&sent);
            }
            ClientAuth::SecretAsUser => {
                let sent = basic(secret(names)?, "", headers)?;
                names.hide(&sent);
            }
            ClientAuth::None => params.set(&endpoint.client_id_param, client.client_id),
            ClientAuth::PrivateKeyJwt(assertion) => {
                let jwt = self.assert(assertion, client, names, Jti::Added)?;
                params.set(&endpoint.client_id_param, client.client_id);
                params.set("client_assertion_type", JWT_BEARER_CLIENT);
                params.set("client_assertion", &jwt);
                names.hide(&jwt);
            }
            ClientAuth::SecretJwt(assertion) => {
                let jwt = self.assert(assertion, client, names, Jti::OnlyIfNamed)?;
                params.set(&endpoint.client_id_param, client.client_id);
                params.set(&endpoint.client_secret_param, &jwt);
                names.secret_text("client_secret", &jwt);
            }
        }
        Ok(())
    }

    /// A JWT signed with the client's private key.
    pub(super) fn assert(
        &self,
        assertion: &Assertion,
        client: &Client<'_>,
        names: &mut Names<'_>,
        jti: Jti,
    ) -> Result<Zeroizing<String>, EngineError> {
        let key = client.field("private_key").ok_or(EngineError::NoSecret("private_key"))?;
        sign(assertion, key, names, jti, self.clock.now(), self.rng)
    }
}

/// HTTP Basic with both halves form-encoded first (RFC 6749 section 2.3.1). Returns what carries the secret.
pub(super) fn basic(
    user: &str,
    password: &str,
    headers: &mut HeaderMap,
) -> Result<Zeroizing<String>, EngineError> {
    let encode = |text: &str| -> Zeroizing<String> {
        Zeroizing::new(url::form_urlencoded::byte_serialize(text.as_bytes()).collect())
    };
    let pair = Zeroizing::new(format!("{}:{}", *encode(user), *encode(password)));
    let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    let value = Zeroizing::new(format!("Basic {}", *encoded));
    headers.insert(header::AUTHORIZATION, sensitive("authorization", &value)?);
    Ok(encoded)
}

/// RFC 7523 section 2.2.
const JWT_BEARER_CLIENT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn secret<'n>(names: &'n Names<'_>) -> Result<&'n str, EngineError> {
    names.get_secret("client_secret").ok_or(EngineError::NoSecret("client_secret"))
}
