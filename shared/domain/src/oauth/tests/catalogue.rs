//! Every entry of the catalogue, played through: an authorization request, an exchange with all its steps, a refresh, a
//! revocation, against a provider that answers as the entry says. It shows that nothing in an entry is beyond the engine, not
//! that the entry is right.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    super::{
        AccountSource, AssertionAlgorithm, ClientAuth, Flow, RefreshKind, RevokedToken, Shape, SuccessFlag,
        VariableSource, api_base_url, api_headers, api_hosts, check_issuer,
    },
    *,
};
use crate::{catalogue::providers, egress::Target};

const ACCOUNT: &str = "account-1";

/// A value of this shape.
fn sample(shape: &Shape) -> String {
    match shape {
        Shape::DnsLabel => "acme".to_owned(),
        Shape::Digits => "42".to_owned(),
        Shape::Word => "word-1".to_owned(),
        Shape::Path => "stores/abc".to_owned(),
        Shape::OneOf(values) => values.first().unwrap().clone(),
        Shape::Text => "some text".to_owned(),
        Shape::Host(patterns) => patterns.first().unwrap().replace('*', "acme"),
    }
}

fn sample_of(provider: &Provider, name: &str) -> Value {
    let variable = provider.variables.iter().find(|variable| variable.name == name).unwrap();
    Value::String(sample(&variable.shape))
}

/// Puts a value at a dotted path; numbers make lists.
fn put(document: &mut Value, path: &str, value: Value) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let slot = if let Ok(place) = name.parse::<usize>() {
        if !document.is_array() {
            *document = json!([]);
        }
        let list = document.as_array_mut().unwrap();
        list.resize(list.len().max(place + 1), Value::Null);
        &mut list[place]
    } else {
        if !document.is_object() {
            *document = json!({});
        }
        document.as_object_mut().unwrap().entry(name).or_insert(Value::Null)
    };
    match rest {
        Some(rest) => put(slot, rest, value),
        None => *slot = value,
    }
}

fn put_first(document: &mut Value, paths: &[String], value: Value) {
    if let Some(path) = paths.first() {
        put(document, path, value);
    }
}

fn put_flag(document: &mut Value, flag: Option<&SuccessFlag>) {
    if let Some(flag) = flag {
        put(document, &flag.path, flag.equals.clone());
    }
}

/// What the token endpoint answers.
fn token_reply(provider: &Provider) -> Value {
    let reply = &provider.token.reply;
    let mut document = json!({});
    put_flag(&mut document, reply.success.as_ref());
    put_first(&mut document, &reply.access_token, json!(ACCESS));
    put_first(&mut document, &reply.refresh_token, json!(REFRESH));
    put_first(&mut document, &reply.expires_in, json!(3600));
    put_first(&mut document, &reply.expires_at, json!("2026-11-22T13:00:00Z"));
    for variable in &provider.variables {
        if let VariableSource::Reply { path } = &variable.source {
            put(&mut document, path, Value::String(sample(&variable.shape)));
        }
    }
    if let Some(account) = &provider.account {
        let mut claims = json!({});
        put_first(&mut claims, &account.identifier, json!(ACCOUNT));
        match account.source {
            AccountSource::Reply => put_first(&mut document, &account.identifier, json!(ACCOUNT)),
            AccountSource::IdToken => {
                let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
                put(&mut document, "id_token", json!(token));
            }
            AccountSource::Variables | AccountSource::Request(_) => {}
        }
    }
    document
}

/// All replies to an exchange, in order.
fn script(provider: &Provider) -> Vec<Reply> {
    let mut replies = vec![says(200, token_reply(provider))];
    if provider.token.upgrade.is_some() {
        replies.push(says(200, token_reply(provider)));
    }
    for lookup in &provider.lookups {
        let mut document = json!({});
        for (name, path) in &lookup.set {
            put(&mut document, path, sample_of(provider, name));
        }
        replies.push(says(200, document));
    }
    if let Some(account) = &provider.account
        && matches!(account.source, AccountSource::Request(_))
    {
        let mut document = json!({});
        put_first(&mut document, &account.identifier, json!(ACCOUNT));
        replies.push(says(200, document));
    }
    replies
}

fn bench(provider: &Provider, script: Vec<Reply>) -> Bench {
    let mut bench = Bench::new(script).scopes(&["a", "b"]);
    let assertion = match &provider.token.auth {
        ClientAuth::PrivateKeyJwt(assertion) | ClientAuth::SecretJwt(assertion) => Some(assertion),
        _ => provider.token.grant.as_ref(),
    };
    bench = match assertion.map(|assertion| assertion.algorithm) {
        Some(AssertionAlgorithm::Es256) => bench.private_key(&assertions::p256_pem()),
        Some(AssertionAlgorithm::Rs256) => bench.private_key(assertions::RSA_PKCS8),
        None => bench,
    };
    for variable in &provider.variables {
        if matches!(variable.source, VariableSource::Operator | VariableSource::User) {
            bench = bench.set(provider, &variable.name, &sample(&variable.shape));
        }
    }
    bench
}

/// The values after connecting.
async fn connect(provider: &Provider) -> Values {
    let id = &provider.id;
    let bench = bench(provider, script(provider));
    let obtained = if provider.flow == Flow::JwtBearer {
        bench
            .engine()
            .mint(provider, &bench.client(), &bench.values, &bench.scopes)
            .await
            .map_err(|lost| lost.error)
    } else {
        let (_, asked) = bench.authorization(provider);
        assert_eq!(asked["state"], "state-1", "{id}");
        let callback: Vec<_> = provider
            .variables
            .iter()
            .filter_map(|variable| match &variable.source {
                VariableSource::Callback { param } => Some((param.clone(), sample(&variable.shape))),
                _ => None,
            })
            .collect();
        let callback: Vec<_> = callback.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        bench.connect(provider, &callback).await
    };
    let obtained = obtained.unwrap_or_else(|error| panic!("{id}: {error:?}"));
    for seen in bench.seen() {
        assert!(seen.url.starts_with("https://"), "{id}: {}", seen.url);
    }
    assert_eq!(obtained.tokens.access_token.expose_secret(), ACCESS, "{id}");
    assert_eq!(obtained.account.is_some(), provider.account.is_some(), "{id}");
    for variable in &provider.variables {
        let has = obtained.values.get(&variable.name).is_some();
        assert!(has || variable.default.is_some() || variable.optional, "{id}: {}", variable.name);
    }
    obtained.values
}

#[tokio::test]
async fn every_entry_connects_and_says_where_calls_go() {
    assert!(!providers().is_empty());
    for provider in providers() {
        let id = &provider.id;
        let values = connect(provider).await;
        let hosts = api_hosts(provider, &values).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert!(!hosts.0.is_empty(), "{id}");
        api_headers(provider, &values, CLIENT_ID).unwrap_or_else(|error| panic!("{id}: {error}"));
        if let Some(base) = api_base_url(provider, &values).unwrap() {
            let target = Target::parse(&base, &EgressRules::default()).unwrap();
            assert!(target.check_hosts(&hosts).is_ok(), "{id}: {base} is not among the hosts");
        }
        // Reads the issuer's template, if there is one.
        let other = check_issuer(provider, &values, Some("https://other.example"));
        let known =
            provider.authorization.as_ref().is_some_and(|authorization| authorization.issuer.is_some());
        assert_eq!(other.is_err(), known, "{id}: {other:?}");
    }
}

#[tokio::test]
async fn every_entry_is_refreshed_in_its_way() {
    for provider in providers() {
        let id = &provider.id;
        let values = connect(provider).await;
        if provider.refresh.kind == RefreshKind::None {
            let refused = bench(provider, Vec::new()).refresh(provider).await;
            assert!(matches!(refused, Err(ExchangeError::Dead { .. })), "{id}");
            continue;
        }
        let mut bench = bench(provider, vec![says(200, token_reply(provider))]);
        bench.values = values;
        let tokens = bench.refresh(provider).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert!(tokens.expires_at.is_some(), "{id}");
        let seen = bench.only();
        let sent = format!("{} {} {:?}", seen.url, seen.body, seen.headers);
        let token = match provider.refresh.kind {
            RefreshKind::RefreshToken => REFRESH,
            RefreshKind::AccessToken => ACCESS,
            RefreshKind::Assertion | RefreshKind::None => "",
        };
        assert!(sent.contains(token), "{id}: nothing to renew with is sent");
    }
}

#[tokio::test]
async fn every_entry_is_revoked_in_its_way() {
    for provider in providers() {
        let id = &provider.id;
        let Some(revocation) = &provider.revocation else { continue };
        let mut document = json!({});
        put_flag(&mut document, revocation.success.as_ref());
        let times = if revocation.token == RevokedToken::Both { 2 } else { 1 };
        let replies = (0..times).map(|_| says(200, document.clone())).collect();
        let mut bench = bench(provider, replies);
        bench.values = connect(provider).await;
        bench.revoke(provider).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
        for seen in bench.seen() {
            let mut carried = format!("{} {}", seen.url, seen.body);
            for value in seen.headers.values() {
                carried.push_str(value.to_str().unwrap());
            }
            let known = [ACCESS, REFRESH, ACCOUNT].iter().any(|what| carried.contains(what));
            assert!(known, "{id}: the request does not say what is to be revoked");
        }
    }
}
