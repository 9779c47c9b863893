//! The vault's own requests after an exchange: what else a connection needs, and which account it is.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use jiff::Timestamp;
use ring::digest;
use serde::{Deserialize, Serialize};

use super::{
    AccountSource, Client, EngineError, ExchangeError, OwnRequest, Provider, Values,
    api::api_hosts_known,
    document::{Document, text_of},
    names::Names,
    scrub::{ID_TOKEN, Secrets, bounded},
    send::{NoAnswer, Outgoing, apply_headers, set_header, standard_headers},
    token::{Engine, set_found},
};
use crate::{
    egress::{AllowedHosts, EgressError, HostPattern, Target},
    inject::{self, CredentialFields, InjectRule, Injection, OutgoingHead, Payload, Rules},
    secret::Secret,
};

/// Which account at the provider a connection is for. To show; texts of a stranger, cleaned and bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountInfo {
    /// Stable: the same account has the same one. At most 255 characters.
    pub identifier: String,
    /// Tells it from every other account: a digest of the identifier as it came, of what the entry says to take beside it, and
    /// of the connection's own values. `None` where too little is known for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// At most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// At most 320 characters (RFC 3696, erratum 1690); not verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl Engine<'_> {
    /// Runs the entry's lookups in order; each may use what the ones before it found.
    pub(super) async fn look_up(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        values: &mut Values,
        access: &Secret<String>,
        secrets: &Secrets<'_>,
    ) -> Result<(), ExchangeError> {
        for lookup in &provider.lookups {
            let document = self.own_request(provider, client, values, &lookup.request, access).await?;
            for (name, path) in &lookup.set {
                let found = document.at(path).and_then(text_of);
                found.iter().try_for_each(|found| secrets.refuse_in(found, "lookup's reply"))?;
                set_found(provider, values, name, found.as_deref(), "lookup's reply")?;
            }
        }
        Ok(())
    }

    /// Which account it is, where the entry says how to find out. Failing is no fault of the connection; only what repeats a
    /// secret is refused.
    pub(super) async fn account(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        values: &Values,
        access: &Secret<String>,
        replies: &[Document],
        secrets: &Secrets<'_>,
    ) -> Result<Option<AccountInfo>, ExchangeError> {
        let Some(account) = &provider.account else { return Ok(None) };
        let claims: Vec<_> = replies.iter().filter_map(id_token_claims).collect();
        let own: Vec<_> = match &account.source {
            AccountSource::Reply | AccountSource::IdToken => Vec::new(),
            AccountSource::Variables => {
                serde_json::to_value(values).ok().map(Document::new).into_iter().collect()
            }
            AccountSource::Request(request) => {
                match self.own_request(provider, client, values, request, access).await {
                    Ok(document) => vec![document],
                    Err(error) => {
                        tracing::warn!(provider = provider.id, %error, "the account cannot be read");
                        return Ok(None);
                    }
                }
            }
        };
        let source = match &account.source {
            AccountSource::Reply => replies,
            AccountSource::IdToken => claims.as_slice(),
            AccountSource::Variables | AccountSource::Request(_) => own.as_slice(),
        };
        let find = |paths: &[String]| source.iter().find_map(|document| document.text(paths));
        let shown = |paths: &[String], max_chars: usize| -> Result<Option<String>, ExchangeError> {
            let Some(text) = find(paths) else { return Ok(None) };
            secrets.refuse_in(&text, "account")?;
            Ok(Some(bounded(&text, max_chars)).filter(|text| !text.is_empty()))
        };
        let Some(identifier) = shown(&account.identifier, 255)? else { return Ok(None) };
        let beside = |path: &String| {
            let mut everywhere = source.iter().chain(replies).chain(&claims);
            everywhere.find_map(|document| document.at(path).and_then(text_of))
        };
        let also: Option<Vec<String>> = account.also.iter().map(beside).collect();
        let raw = find(&account.identifier).unwrap_or_default();
        let key = also.filter(|_| !account.of_many).map(|also| key(&raw, &also, &values.telling(provider)));
        Ok(Some(AccountInfo {
            identifier,
            key,
            display_name: shown(&account.display_name, 200)?,
            email: shown(&account.email, 320)?,
        }))
    }

    /// A request with the access token, to a host where calls go or the token came from.
    async fn own_request(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        values: &Values,
        request: &OwnRequest,
        access: &Secret<String>,
    ) -> Result<Document, ExchangeError> {
        let mut names = Names::new(provider, values, &Client { secret: None, ..*client });
        names.secret("access_token", access);
        let target = names.target(&request.url, &self.rules)?;
        target.check_hosts(&self.own_hosts(provider, values, &names)?).map_err(EngineError::from)?;
        let mut headers = standard_headers();
        apply_headers(&mut headers, &request.headers, &names)?;
        if let Some(template) = request.authorization.as_deref() {
            let value = names.text(template).map_err(EngineError::from)?;
            set_header(&mut headers, header::AUTHORIZATION.as_str(), &value)?;
        } else {
            let head = OutgoingHead { method: request.method.into(), url: target.url().clone(), headers };
            headers = carry_token(head, provider, access, self.clock.now())?;
        }
        let outgoing = Outgoing::with_json(target, request.method, request.json.as_ref(), headers);
        let answer = self.send(outgoing).await.map_err(|error| match error {
            NoAnswer::NotSent(reason) | NoAnswer::Unknown(reason) => {
                ExchangeError::Unknown(format!("a lookup: {reason}"))
            }
        })?;
        let status = answer.status;
        match answer.document {
            Ok(document) if status.is_success() => Ok(document),
            _ if status.is_server_error() || status.as_u16() == 429 => {
                Err(ExchangeError::Unknown(format!("a lookup: it answered http_{}", status.as_u16())))
            }
            Err(why) if status.is_success() => {
                Err(ExchangeError::Reply(format!("a lookup: its reply {why}")))
            }
            _ => Err(ExchangeError::Reply(format!("a lookup: it answered http_{}", status.as_u16()))),
        }
    }

    /// Those of the API as far as they are known yet, and the token endpoint's.
    fn own_hosts(
        &self,
        provider: &Provider,
        values: &Values,
        names: &Names<'_>,
    ) -> Result<AllowedHosts, EngineError> {
        let mut hosts = api_hosts_known(provider, values);
        let token = names.target(&provider.token.url, &self.rules)?;
        hosts.0.push(host_and_port(&token)?);
        Ok(hosts)
    }
}

/// What `api.format` calls the token.
const ACCESS_TOKEN: &str = "access_token";

/// Puts the token where calls carry it, by what puts it there.
fn carry_token(
    mut head: OutgoingHead,
    provider: &Provider,
    access: &Secret<String>,
    now: Timestamp,
) -> Result<HeaderMap, EngineError> {
    let unfit = EngineError::Entry("the header for the token");
    let rule = InjectRule::new(inject::Target::Header, &provider.api.header, &provider.api.format);
    let rules = rule.and_then(|rule| Rules::new(vec![rule])).map_err(|_| unfit.clone())?;
    let fields =
        CredentialFields::from_pairs([(ACCESS_TOKEN, access.clone())], &[]).map_err(|_| unfit.clone())?;
    let injected = inject::inject(&Injection::Rules(rules), &fields, &mut head, Payload::Streaming, now);
    injected.map_err(|_| unfit)?;
    Ok(head.headers)
}

fn host_and_port(target: &Target) -> Result<HostPattern, EngineError> {
    let port = target.url().port().map(|port| format!(":{port}")).unwrap_or_default();
    let pattern = format!("{}{port}", target.host()).parse();
    pattern.map_err(|_| EngineError::Destination(EgressError::HostNotAllowed))
}

/// See [`AccountInfo::key`]. Each text has its length before it, so that no two lists give the same.
fn key(identifier: &str, also: &[String], values: &BTreeMap<&str, &str>) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut add = |text: &str| {
        context.update(&text.len().to_be_bytes());
        context.update(text.as_bytes());
    };
    add(identifier);
    add(&also.len().to_string());
    also.iter().for_each(|text| add(text));
    for (name, value) in values {
        add(name);
        add(value);
    }
    hex::encode(context.finish())
}

/// The claims of a reply's `id_token`, its signature unseen: it came over TLS from the token endpoint, which OpenID Connect
/// Core (section 3.1.3.7, point 6) takes for proof enough of where it is from, and its claims are only shown.
fn id_token_claims(reply: &Document) -> Option<Document> {
    let token = reply.at(ID_TOKEN)?.as_str()?;
    let payload = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok().map(Document::new)
}
