//! The catalogue of providers: it reads, it is large enough, every mechanism has somebody who needs it, and the document
//! shows it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::oauth::{
    AccountSource, BodyFormat, ClientAuth, Flow, Grace, Pkce, Provider, RefreshKind, RefreshTokenRotation,
    ResponseMode, RevocationAuth, Shape, VariableSource, Verb,
};

const DOCUMENT: &str = include_str!("../../../../docs/providers.md");

#[test]
fn the_file_reads_and_is_written_again_as_it_was() {
    let all = providers::parse(providers::SOURCE).unwrap();
    assert!(all.len() >= 115, "{}", all.len());
    let file: serde_json::Value = serde_json::from_str(providers::SOURCE).unwrap();
    for (written, provider) in file["providers"].as_array().unwrap().iter().zip(&all) {
        let json = serde_json::to_value(provider).unwrap();
        assert_eq!(&serde_json::from_value::<Provider>(json.clone()).unwrap(), provider);
        // What is written survives; serializing only adds defaults.
        assert!(holds(&json, written), "{}: {json}", provider.id);
    }
}

/// Everything in `part` is in `whole`.
fn holds(whole: &serde_json::Value, part: &serde_json::Value) -> bool {
    match (whole, part) {
        (serde_json::Value::Object(whole), serde_json::Value::Object(part)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|found| holds(found, value)))
        }
        (serde_json::Value::Array(whole), serde_json::Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        _ => whole == part,
    }
}

#[test]
fn a_file_out_of_order_or_with_an_unknown_field_is_an_error() {
    let mut file: serde_json::Value = serde_json::from_str(providers::SOURCE).unwrap();
    file["providers"].as_array_mut().unwrap().swap(0, 1);
    assert!(matches!(providers::parse(&file.to_string()), Err(providers::ParseError::Order)));
    file["providers"].as_array_mut().unwrap().swap(0, 1);
    file["providers"][0]["colour"] = "red".into();
    assert!(matches!(providers::parse(&file.to_string()), Err(providers::ParseError::Json(_))));
}

#[test]
fn ids_are_found_and_names_are_unique() {
    for provider in providers() {
        assert_eq!(super::provider(&provider.id), Some(provider));
    }
    assert_eq!(super::provider("no-such-provider"), None);
    let names: BTreeSet<_> = providers().iter().map(|provider| &provider.name).collect();
    assert_eq!(names.len(), providers().len());
}

#[test]
fn every_entry_offers_scopes_or_says_that_there_are_none() {
    for provider in providers() {
        let scopes = &provider.scopes;
        assert_eq!(scopes.none, scopes.known.is_empty(), "{}", provider.id);
        assert!(scopes.none || scopes.known.iter().any(|scope| scope.default), "{}: no default", provider.id);
    }
}

#[test]
fn certainty_is_never_more_than_one_source_gives() {
    for provider in providers() {
        let evidence = &provider.evidence;
        let official = evidence.sources.iter().any(|source| source.starts_with("official documentation: "));
        let most = if official || evidence.sources.len() >= 2 { Certainty::High } else { Certainty::Medium };
        assert!(evidence.endpoints != Certainty::High || most == Certainty::High, "{}", provider.id);
        // Behaviour was recalled from official pages at best, unless one was read.
        assert!(evidence.behaviour != Certainty::High || official, "{}", provider.id);
        assert_eq!(evidence.date, "2026-11", "{}", provider.id);
    }
}

/// A mechanism, whom it is known from, and how an entry shows that it is used.
type Mechanism = (&'static str, &'static [&'static str], fn(&Provider) -> bool);

fn has_source(provider: &Provider, wanted: fn(&VariableSource) -> bool) -> bool {
    provider.variables.iter().any(|variable| wanted(&variable.source))
}

fn of_host(provider: &Provider, wanted: fn(&VariableSource) -> bool) -> bool {
    provider.variables.iter().any(|v| wanted(&v.source) && matches!(v.shape, Shape::Host(_)))
}

fn sends(provider: &Provider, name: &str) -> bool {
    provider.authorization.as_ref().is_some_and(|authorization| authorization.params.contains_key(name))
}

#[rustfmt::skip]
const MECHANISMS: &[Mechanism] = &[
    ("a variable in the host, entered by a person", &["shopify", "zendesk", "gorgias", "netsuite"],
        |p| p.token.url.starts_with("https://{") && has_source(p, |s| *s == VariableSource::User)),
    ("a variable in the host, entered by the operator", &["okta", "auth0", "servicenow", "salesforce"],
        |p| p.token.url.starts_with("https://{") && has_source(p, |s| *s == VariableSource::Operator)),
    ("a variable in the path", &["microsoft", "facebook"],
        |p| p.variables.iter().any(|v| v.shape == Shape::Word && p.token.url.contains(&format!("/{{{}}}/", v.name)))),
    ("a host from the token reply", &["salesforce", "pipedrive", "zoho", "wrike"],
        |p| of_host(p, |s| matches!(s, VariableSource::Reply { .. }))),
    ("a host from the redirect", &["zoho"], |p| of_host(p, |s| matches!(s, VariableSource::Callback { .. }))),
    ("a lookup after connecting", &["atlassian", "xero", "mailchimp", "basecamp", "docusign"], |p| !p.lookups.is_empty()),
    ("a host from a lookup", &["docusign"], |p| of_host(p, |s| *s == VariableSource::Lookup)),
    ("a lookup with a token header of its own", &["mailchimp"], |p| p.lookups.iter().any(|l| l.request.authorization.is_some())),
    ("a value only in the redirect", &["intuit", "bigcommerce", "amazon-sp-api", "zoho"],
        |p| has_source(p, |s| matches!(s, VariableSource::Callback { .. }))),
    ("the code under another name", &["amazon-sp-api"], |p| p.authorization.as_ref().is_some_and(|a| a.code_param != "code")),
    ("the code sent under another name", &["tiktok-business"], |p| p.token.code_param != "code"),
    ("nested token fields", &["slack-user", "tiktok-business", "withings"], |p| p.token.reply.access_token[0].contains('.')),
    ("another name for client_id", &["tiktok"], |p| p.token.client_id_param != "client_id"),
    ("another parameter for scopes", &["slack-user"], |p| p.authorization.as_ref().is_some_and(|a| a.scope_param != "scope")),
    ("a moment in place of expires_in", &["square"], |p| !p.token.reply.expires_at.is_empty() && p.token.reply.expires_in.is_empty()),
    ("a lifetime of the refresh token under another name", &["intuit"], |p| !p.token.reply.refresh_expires_in.is_empty()),
    ("success told by a field", &["slack", "tiktok-business"], |p| p.token.reply.success.is_some()),
    ("a refresh URL of its own", &["figma", "instagram", "tiktok-business"], |p| p.refresh.url.is_some()),
    ("a refresh by GET", &["instagram"], |p| p.refresh.method == Some(Verb::Get)),
    ("a refresh with type instead of grant_type", &["basecamp"], |p| p.refresh.params.get("grant_type").is_some_and(String::is_empty)),
    ("no refresh", &["mailchimp", "intercom", "todoist", "clickup", "monday", "eventbrite"], |p| p.refresh.kind == RefreshKind::None),
    ("an exchange for a long-lived token", &["facebook", "instagram"], |p| p.token.upgrade.is_some()),
    ("an access token renewed with itself", &["instagram"], |p| p.refresh.kind == RefreshKind::AccessToken),
    ("a lifetime that no reply tells", &["salesforce"], |p| p.refresh.access_ttl_seconds.is_some()),
    ("offline access by parameter", &["google", "dropbox", "reddit", "zoho"],
        |p| ["access_type", "token_access_type", "duration"].iter().any(|name| sends(p, name))),
    ("offline access by scope", &["microsoft", "x", "atlassian", "xero", "typeform", "whoop", "salesforce"], |p| !p.scopes.always.is_empty()),
    ("offline access by token parameter", &["shopify"], |p| p.token.params.contains_key("expiring")),
    ("offline access by a setting there", &["github", "slack"], |p| p.refresh.condition.as_ref().is_some_and(|c| c.contains("turned on"))),
    ("rotation, single use", &["x", "gitlab", "linear", "zoom", "box", "airtable", "calendly", "canva", "gusto", "fitbit", "shopify"],
        |p| p.refresh.rotation == RefreshTokenRotation::Always),
    ("rotation now and then", &["intuit", "tiktok", "strava", "twitch", "spotify"], |p| p.refresh.rotation == RefreshTokenRotation::Sometimes),
    ("a grace of so many seconds", &["fitbit", "xero", "atlassian", "intuit"], |p| matches!(p.refresh.grace, Grace::Seconds(_))),
    ("a grace until the successor is used", &["shopify"], |p| p.refresh.grace == Grace::UntilSuccessorUsed),
    ("a cap on live tokens", &["google", "github", "zoho", "salesforce", "twitch"], |p| p.refresh.live_tokens.is_some()),
    ("a cap on refreshes", &["zoho"], |p| p.refresh.limit.is_some()),
    ("a refresh token that idles out", &["google", "atlassian", "xero"], |p| p.refresh.keep.is_some_and(|keep| keep.idle)),
    ("PKCE required", &["x", "airtable", "canva", "etsy"], |p| p.authorization.as_ref().is_some_and(|a| a.pkce == Pkce::Required)),
    ("PKCE breaks", &["linkedin", "slack"], |p| p.authorization.as_ref().is_some_and(|a| a.pkce == Pkce::Breaks)),
    ("a public client", &["etsy"], |p| p.token.auth == ClientAuth::None && p.flow == Flow::AuthorizationCode),
    ("a client secret that is a JWT", &["apple"], |p| matches!(p.token.auth, ClientAuth::SecretJwt(_))),
    ("an assertion as the grant", &["google-service-account"], |p| p.flow == Flow::JwtBearer && p.token.grant.is_some()),
    ("a response that is posted", &["apple"], |p| p.authorization.as_ref().is_some_and(|a| a.response_mode == ResponseMode::FormPost)),
    ("the secret as the user of Basic", &["stripe-apps"], |p| p.token.auth == ClientAuth::SecretAsUser),
    ("HTTP Basic", &["notion", "x", "zoom", "reddit"], |p| p.token.auth == ClientAuth::Basic),
    ("JSON token bodies", &["atlassian", "notion", "zendesk", "square", "gusto", "freshbooks", "tiktok-business", "squarespace"],
        |p| p.token.body == BodyFormat::Json),
    ("scopes with commas", &["slack", "linear", "zoho", "tiktok", "facebook", "shopify", "strava", "wrike", "todoist", "pinterest", "adobe", "squarespace"],
        |p| p.scopes.separator == ","),
    ("no scopes", &["notion", "mailchimp", "intercom", "clickup", "basecamp"], |p| p.scopes.none),
    ("another header for the token", &["shopify", "bigcommerce", "amazon-sp-api", "tiktok-business"], |p| p.api.header != "Authorization"),
    ("another format of the token", &["zoho"], |p| p.api.header == "Authorization" && p.api.format != "Bearer {access_token}"),
    ("obligatory headers", &["notion", "xero", "twitch", "linkedin", "github", "reddit", "basecamp", "squarespace"], |p| !p.api.headers.is_empty()),
    ("a parameter in place of a standard one", &["ebay"], |p| sends(p, "redirect_uri")),
    ("an optional variable", &["auth0", "google-service-account"], |p| p.variables.iter().any(|v| v.optional)),
    ("an issuer to compare", &["google", "okta", "auth0"], |p| p.authorization.as_ref().is_some_and(|a| a.issuer.is_some())),
    ("revocation by RFC 7009", &["google", "x", "discord", "xero"], |p| p.revocation.as_ref().is_some_and(|r| r.params.is_none())),
    ("revocation by DELETE with Basic and JSON", &["github"],
        |p| p.revocation.as_ref().is_some_and(|r| r.method == Verb::Delete && r.auth == RevocationAuth::Basic && r.body == BodyFormat::Json)),
    ("revocation by DELETE with the token", &["facebook", "zendesk", "whoop"],
        |p| p.revocation.as_ref().is_some_and(|r| r.method == Verb::Delete && r.auth == RevocationAuth::Bearer)),
    ("revocation with the token in a header of its own", &["shopify", "square", "stripe-connect"],
        |p| p.revocation.as_ref().is_some_and(|r| matches!(r.auth, RevocationAuth::Header { .. }))),
    ("revocation with Basic and JSON", &["notion", "intuit"],
        |p| p.revocation.as_ref().is_some_and(|r| r.auth == RevocationAuth::Basic && r.body == BodyFormat::Json && r.method == Verb::Post)),
    ("revocation by POST with the token", &["dropbox", "slack"],
        |p| p.revocation.as_ref().is_some_and(|r| r.method == Verb::Post && r.auth == RevocationAuth::Bearer)),
    ("revocation by GET", &["servicenow", "oura"], |p| p.revocation.as_ref().is_some_and(|r| r.method == Verb::Get)),
    ("revocation without a client", &["strava", "zoho", "miro"], |p| p.revocation.as_ref().is_some_and(|r| r.auth == RevocationAuth::None)),
    ("revocation that tells success in the body", &["slack", "square"], |p| p.revocation.as_ref().is_some_and(|r| r.success.is_some())),
    ("the account from the token reply", &["notion", "strava", "slack"], |p| p.account.as_ref().is_some_and(|a| a.source == AccountSource::Reply)),
    ("the account from an id_token", &["apple", "xero"], |p| p.account.as_ref().is_some_and(|a| a.source == AccountSource::IdToken)),
    ("the account from a variable", &["intuit", "shopify"], |p| p.account.as_ref().is_some_and(|a| a.source == AccountSource::Variables)),
    ("the account by GraphQL", &["linear", "monday"],
        |p| p.account.as_ref().is_some_and(|a| matches!(&a.source, AccountSource::Request(r) if r.json.is_some()))),
    ("codes that mean a dead refresh token", &["github", "slack", "zoho"], |p| !p.errors.dead.is_empty()),
];

#[test]
fn every_mechanism_is_used_by_those_who_force_it() {
    for (mechanism, forced_by, is_used) in MECHANISMS {
        for id in *forced_by {
            let provider = super::provider(id).unwrap_or_else(|| panic!("{mechanism}: no entry {id}"));
            assert!(is_used(provider), "{mechanism}: not by {id}");
        }
    }
}

#[test]
fn how_many_use_which_mechanism() {
    let used =
        |is_used: &fn(&Provider) -> bool| providers().iter().filter(|provider| is_used(provider)).count();
    let counts: BTreeMap<_, _> = MECHANISMS.iter().map(|(name, _, is_used)| (*name, used(is_used))).collect();
    let table: String = counts.iter().map(|(name, count)| format!("{count:4} {name}\n")).collect();
    insta::assert_snapshot!(table);
}

#[test]
fn the_document_is_what_the_data_gives() {
    let expected = providers_markdown();
    let differs = expected.lines().zip(DOCUMENT.lines()).find(|(new, old)| new != old);
    assert!(
        DOCUMENT == expected,
        "run `cargo xtask providers-doc`; the first line that differs: {differs:?}"
    );
    for provider in providers() {
        assert!(DOCUMENT.contains(&format!("| `{}` |", provider.id)), "{}", provider.id);
    }
}
