//! Every entry of the catalogue passes; every planted mistake is found, and nothing else is said of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{ProblemCode::*, *};
use crate::catalogue::providers;

#[test]
fn every_entry_of_the_catalogue_passes() {
    let all = providers().iter().flat_map(|provider| {
        check(provider, EgressRules::default())
            .into_iter()
            .map(move |problem| format!("{}: {problem}", provider.id))
    });
    let wrong: Vec<_> = all.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(providers().len() >= 110, "{}", providers().len());
}

/// An entry that uses most of the schema.
fn good() -> Value {
    json!({
        "id": "acme-crm", "name": "Acme CRM", "category": "crm", "monogram": "AC", "docs_url": "https://docs.acme.example/oauth#code",
        "variables": [
            { "name": "tenant", "label": "Tenant", "source": "user", "shape": "dns_label", "example": "acme" },
            { "name": "version", "label": "Version", "source": "operator", "shape": "word", "default": "v2" },
            { "name": "contact", "label": "Contact", "source": "operator", "shape": "text", "optional": true },
            { "name": "company", "label": "Company", "source": { "callback": { "param": "companyId" } }, "shape": "digits" },
            { "name": "api", "label": "API", "source": { "reply": { "path": "api.url" } }, "shape": { "host": ["*.api.acme.example"] } },
            { "name": "site", "label": "Site", "source": "lookup", "shape": "word" },
            { "name": "region", "label": "Region", "source": "operator", "shape": { "one_of": ["eu", "us"] }, "default": "eu" },
        ],
        "authorization": {
            "url": "https://{tenant}.acme.example/{version}/authorize", "params": { "access_type": "offline", "contact": "{contact}" },
            "pkce": "supported", "issuer": "https://{tenant}.acme.example", "iss_required": true,
        },
        "token": {
            "url": "https://{tenant}.acme.example/token?region={region}", "auth": "post", "params": { "company": "{company}" },
            "headers": { "X-Client": "{client_id}" }, "reply": { "success": { "path": "ok", "equals": true } },
            "upgrade": { "url": "https://{tenant}.acme.example/long", "params": { "token": "{access_token}" } },
        },
        "scopes": { "known": [{ "scope": "read", "description": "read your records", "default": true }], "always": ["offline"] },
        "refresh": {
            "kind": "refresh_token", "rotation": "always", "grace": { "seconds": 60 }, "access_ttl_seconds": 3600,
            "keep": { "seconds": 7_776_000, "idle": true }, "live_tokens": 20, "limit": { "count": 10, "seconds": 600 },
            "condition": "A box has to be ticked.",
        },
        "revocation": { "url": "https://{tenant}.acme.example/revoke", "params": { "t": "{token}" }, "also_success": [404] },
        "api": {
            "hosts": ["{api}", "{region}.files.acme.example"], "base_url": "https://{api}/{site}", "header": "X-Acme-Token",
            "format": "{access_token}", "headers": { "X-Company": "{company}", "User-Agent": "acme {contact}" },
        },
        "lookups": [{ "request": { "url": "https://{tenant}.acme.example/sites", "headers": { "X-A": "{company}" } }, "set": { "site": "0.id" } }],
        "account": { "source": { "request": { "url": "https://{api}/me" } }, "identifier": ["id"], "email": ["mail"] },
        "errors": { "dead": ["gone"] },
        "notes": ["There is a note."],
        "evidence": { "sources": ["operator"], "date": "2026-11", "endpoints": "medium", "behaviour": "low" },
    })
}

fn problems(json: &Value, rules: EgressRules) -> Vec<Problem> {
    check(&serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{error}: {json}")), rules)
}

/// Puts values at JSON pointers.
fn with(changes: &[(&str, Value)]) -> Value {
    let mut json = good();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = json.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
        match name.parse::<usize>() {
            Ok(position) if parent.is_array() => parent[position] = value.clone(),
            _ => parent[name] = value.clone(),
        }
    }
    json
}

#[test]
fn the_good_one_is_good() {
    assert_eq!(problems(&good(), EgressRules::default()), []);
}

/// A change, and the code that must be told.
type Planted = (ProblemCode, &'static str, Value);

#[rustfmt::skip]
fn planted() -> Vec<Planted> {
    let long = "x".repeat(400);
    let many: Vec<String> = (0..300).map(|n| format!("s{n}")).collect();
    let url = "/token/url";
    let hosts = "/api/hosts/1";
    let shape = "/variables/6/shape";
    vec![
        (TooLarge, "/scopes/always", json!(many)),
        (TooLarge, "/notes", json!(vec!["A note."; 11])),
        (TooLarge, "/notes", json!(["x".repeat(MAX_DEFINITION_BYTES)])),
        (TooLarge, shape, json!({ "one_of": many })),
        (TooLarge, "/lookups", json!(vec![good()["lookups"][0].clone(); 5])),
        (TooLarge, url, json!(format!("https://acme.example/{}", "a/".repeat(1000)))),
        (Id, "/id", json!("Acme")), (Id, "/id", json!("acme--crm")), (Id, "/id", json!("-acme")), (Id, "/id", json!("")),
        (Id, "/id", json!("a".repeat(51))), (Id, "/id", json!("acme_crm")), (Id, "/id", json!("../acme")),
        (Text, "/name", json!("")), (Text, "/name", json!(" ")), (Text, "/name", json!("a\u{7}b")), (Text, "/name", json!("x".repeat(61))),
        (Text, "/monogram", json!("ABC")), (Text, "/monogram", json!("")), (Text, "/monogram", json!("<b")),
        (Text, "/notes/0", json!("no sentence")), (Text, "/notes/0", json!(long)), (Text, "/refresh/condition", json!("")),
        (Text, "/variables/0/label", json!("")), (Text, "/errors/dead/0", json!("")),
        (Text, "/scopes/known/0/description", json!("")), (Text, "/scopes/known/0/description", json!("Read records")),
        (Text, "/scopes/known/0/description", json!("read records.")), (Text, "/scopes/known/0/description", json!("read\nrecords")),
        (Text, "/evidence/sources/0", json!("")),
        (Variable, "/variables/2/name", json!("client_id")), (Variable, "/variables/2/name", json!("access_token")),
        (Variable, "/variables/2/name", json!("region")), (Variable, "/variables/2/name", json!("Contact")),
        (Variable, "/variables/1/optional", json!(true)),
        (Shape, shape, json!({ "one_of": [] })), (Shape, shape, json!({ "one_of": ["eu", ""] })),
        (Shape, "/variables/4/shape", json!({ "host": [] })), (Shape, "/variables/4/shape", json!({ "host": ["*.com"] })),
        (Shape, "/variables/4/shape", json!({ "host": ["*.co.uk"] })), (Shape, "/variables/4/shape", json!({ "host": ["*.github.io"] })),
        (Shape, "/variables/4/shape", json!({ "host": ["127.0.0.1"] })), (Shape, "/variables/4/shape", json!({ "host": ["db.internal"] })),
        (Shape, "/variables/1/default", json!("a b")), (Shape, "/variables/0/example", json!("a.b")),
        (Address, url, json!("http://acme.example/token")), (Address, url, json!("https://10.0.0.1/token")),
        (Address, url, json!("https://169.254.169.254/latest")), (Address, url, json!("https://localhost/token")),
        (Address, url, json!("https://a:b@acme.example/token")), (Address, url, json!("https://acme.example/token#x")),
        (Address, url, json!("token")), (Address, url, json!("https://acme.example/a/../b")), (Address, url, json!("ftp://acme.example/")),
        (Address, "/authorization/url", json!("javascript:alert(1)")), (Address, "/docs_url", json!("http://docs.acme.example/")),
        (Address, "/docs_url", json!("javascript:alert(1)")), (Address, "/revocation/url", json!("http://acme.example/revoke")),
        (Address, "/refresh/url", json!("http://acme.example/refresh")), (Address, "/token/upgrade/url", json!("http://acme.example/long")),
        (Address, "/lookups/0/request/url", json!("http://{tenant}.acme.example/sites")), (Address, "/api/base_url", json!("http://{api}")),
        (OpenAddress, url, json!("https://{tenant}/token")), (OpenAddress, url, json!("https://{tenant}.com/token")),
        (OpenAddress, url, json!("https://{tenant}.co.uk/token")), (OpenAddress, url, json!("https://{version}.acme.example/token")),
        (OpenAddress, url, json!("https://{client_id}.acme.example/token")), (OpenAddress, url, json!("https://acme.example.{tenant}/")),
        (OpenAddress, url, json!("https://acme.example/{contact}")), (OpenAddress, "/revocation/url", json!("https://{api}.evil.example/")),
        (OpenAddress, hosts, json!("{version}.acme.example")), (OpenAddress, hosts, json!("{tenant}.com")),
        (OpenAddress, shape, json!({ "one_of": ["eu", "evil.com/"] })),
        (SecretInAddress, url, json!("https://acme.example/token?s={client_secret}")),
        (SecretInAddress, "/revocation/url", json!("https://acme.example/revoke/{token}")),
        (SecretInAddress, "/account/source/request/url", json!("https://{api}/me?t={access_token}")),
        (Template, url, json!("https://acme.example/{unknown}")), (Template, url, json!("https://acme.example/{tenant")),
        (Template, url, json!("https://acme.example/{company}/{site}")), (Template, "/authorization/url", json!("https://acme.example/{company}")),
        (Template, "/authorization/params/contact", json!("{client_secret}")), (Template, "/authorization/params/contact", json!("{code}")),
        (Template, "/token/params/company", json!("{access_token}")), (Template, "/token/params/company", json!("{site}")),
        (Template, "/token/headers/X-Client", json!("{code}")), (Template, "/token/upgrade/params/token", json!("{refresh_token}")),
        (Template, "/revocation/params/t", json!("{token}{code}")), (Template, "/revocation/params/t", json!("{token")),
        (Template, "/api/headers/X-Company", json!("{access_token}")), (Template, "/api/headers/X-Company", json!("{client_secret}")),
        (Template, "/api/base_url", json!("https://{api}/{nothing}")), (Template, "/lookups/0/request/headers/X-A", json!("{site}")),
        (Template, "/lookups/0/request/authorization", json!("Bearer {refresh_token}")), (Template, hosts, json!("{nothing}.acme.example")),
        (Template, "/authorization/issuer", json!("https://{nothing}.acme.example")),
        (ApiHost, "/api/hosts", json!([])), (ApiHost, hosts, json!("*")), (ApiHost, hosts, json!("*.com")), (ApiHost, hosts, json!("*.co.uk")),
        (ApiHost, hosts, json!("*.amazonaws.com")), (ApiHost, hosts, json!("10.0.0.1")), (ApiHost, hosts, json!("localhost")),
        (ApiHost, hosts, json!("acme.example:*")), (ApiHost, hosts, json!("https://acme.example")), (ApiHost, hosts, json!("db.internal")),
        (Destination, "/api/base_url", json!("https://evil.example")),
        (Destination, "/lookups/0/request/url", json!("https://evil.example/sites")),
        (Destination, "/account/source/request/url", json!("https://{tenant}.evil.example/me")),
        (Destination, "/account/source/request/url", json!("https://{tenant}.acme.example:8443/me")),
        (Header, "/token/headers", json!({ "Host": "x" })), (Header, "/token/headers", json!({ "Content-Length": "1" })),
        (Header, "/token/headers", json!({ "A B": "x" })), (Header, "/token/headers", json!({ "X-A": "x\ny" })),
        (Header, "/token/headers", json!({ "X-A": "x", "x-a": "y" })), (Header, "/api/headers", json!({ "Cookie": "a=b" })),
        (Header, "/api/headers", json!({ "x-acme-token": "x" })), (Header, "/api/headers", json!({ "Authorization": "x" })),
        (Header, "/api/headers", json!({ "X-Alter-Agent": "x" })), (Header, "/lookups/0/request/headers", json!({ "Authorization": "x" })),
        (Header, "/revocation/headers", json!({ "Transfer-Encoding": "x" })),
        (Header, "/revocation/auth", json!({ "header": { "name": "Host", "value": "{token}" } })),
        (TokenHeader, "/api/header", json!("Cookie")), (TokenHeader, "/api/header", json!("")), (TokenHeader, "/api/header", json!("X-Alter-Key")),
        (TokenHeader, "/api/format", json!("Bearer")), (TokenHeader, "/api/format", json!("{access_token}{tenant}")),
        (TokenHeader, "/api/format", json!("{access_token}{access_token}")), (TokenHeader, "/api/format", json!("Bearer {token}")),
        (Parameter, "/authorization/params", json!({ "state": "x" })), (Parameter, "/authorization/params", json!({ "code_challenge": "" })),
        (Parameter, "/authorization/params", json!({ "response_type": "token" })), (Parameter, "/authorization/params", json!({ "request_uri": "x" })),
        (Parameter, "/authorization/switch_account_params", json!({ "response_mode": "fragment" })), (Parameter, "/token/params", json!({ "a b": "x" })),
        (Parameter, "/authorization/code_param", json!("")), (Parameter, "/token/client_id_param", json!("a&b")),
        (Parameter, "/variables/3/source", json!({ "callback": { "param": "state" } })),
        (Parameter, "/variables/3/source", json!({ "callback": { "param": "" } })),
        (Path, "/token/reply/access_token", json!([])), (Path, "/token/reply/access_token", json!(["a..b"])),
        (Path, "/token/reply/error", json!([""])), (Path, "/variables/4/source", json!({ "reply": { "path": "a b" } })),
        (Path, "/token/reply/success", json!({ "path": "", "equals": true })), (Path, "/token/reply/success", json!({ "path": "ok", "equals": {} })),
        (Path, "/token/reply/scope", json!(["refresh_token"])), (Path, "/token/reply/error", json!(["access_token"])),
        (Path, "/token/reply", json!({ "access_token": ["user.token"], "scope": ["user"] })),
        (Path, "/token/reply/success", json!({ "path": "access_token", "equals": "x" })),
        (Path, "/variables/4/source", json!({ "reply": { "path": "access_token" } })),
        (Path, "/account/identifier", json!(["access_token"])), (Path, "/account/email", json!(["id_token"])),
        (Path, "/account/also", json!(["refresh_token"])),
        (Path, "/account/identifier", json!(["a b"])), (Path, "/lookups/0/set/site", json!("")),
        (Flow, "/authorization", Value::Null), (Flow, "/flow", json!("jwt_bearer")),
        (Flow, "/token/grant", json!({ "algorithm": "RS256", "claims": { "iss": "{client_id}", "aud": "a" }, "lifetime_seconds": 300 })),
        (Flow, "/refresh", json!({ "kind": "assertion" })),
        (Issuer, "/authorization/issuer", Value::Null), (Issuer, "/authorization/issuer", json!("https://acme.example/?a=b")),
        (Scopes, "/scopes/separator", json!("")), (Scopes, "/scopes/separator", json!("a")), (Scopes, "/scopes/always", json!(["a b"])),
        (Scopes, "/scopes/always", json!([""])), (Scopes, "/scopes/always", json!(["read"])), (Scopes, "/scopes/always", json!(["a\"b"])),
        (Scopes, "/scopes/none", json!(true)),
        (Refresh, "/refresh", json!({ "keep": { "seconds": 86_400, "idle": true } })), (Refresh, "/refresh", json!({ "rotation": "always" })),
        (Refresh, "/refresh", json!({ "grace": "always" })), (Refresh, "/refresh", json!({ "url": "https://acme.example/r" })),
        (Refresh, "/refresh", json!({ "kind": "access_token", "live_tokens": 5, "access_ttl_seconds": 3600 })),
        (Refresh, "/refresh/grace", json!("always")), (Refresh, "/refresh/rotation", json!("never")),
        (Refresh, "/token/reply/refresh_token", json!([])),
        (Lifetime, "/refresh/grace", json!({ "seconds": 0 })), (Lifetime, "/refresh/grace", json!({ "seconds": 10_000_000 })),
        (Lifetime, "/refresh/access_ttl_seconds", json!(1)), (Lifetime, "/refresh/access_ttl_seconds", json!(u64::MAX)),
        (Lifetime, "/refresh/keep/seconds", json!(1)), (Lifetime, "/refresh/limit/count", json!(0)), (Lifetime, "/refresh/live_tokens", json!(0)),
        (Lifetime, "/token/auth", json!({ "private_key_jwt": { "algorithm": "ES256", "claims": { "iss": "{client_id}", "aud": "a" }, "lifetime_seconds": 0 } })),
        (Assertion, "/token/auth", json!({ "private_key_jwt": { "algorithm": "ES256", "claims": { "iss": "{client_id}" }, "lifetime_seconds": 300 } })),
        (Assertion, "/token/auth", json!({ "secret_jwt": { "algorithm": "ES256", "claims": { "iss": "i", "aud": "a", "exp": "1" }, "lifetime_seconds": 300 } })),
        (Revocation, "/revocation/also_success", json!([500])), (Revocation, "/revocation/also_success", json!([401])),
        (Revocation, "/revocation/also_success", json!([429])), (Revocation, "/revocation", json!({ "url": "https://acme.example/revoke", "params": {} })),
        (Lookup, "/lookups/0/set", json!({})), (Lookup, "/lookups/0/set", json!({ "site": "0.id", "tenant": "0.name" })),
        (Account, "/account/identifier", json!([])), (Account, "/account", json!({ "source": "variables", "identifier": ["nobody"] })),
        (Evidence, "/evidence/endpoints", json!("high")), (Evidence, "/evidence/behaviour", json!("high")),
        (Evidence, "/evidence/date", json!("2026")), (Evidence, "/evidence/date", json!("2026-13")), (Evidence, "/evidence/sources", json!([])),
    ]
}

#[test]
fn every_planted_mistake_is_found() {
    let mut found = BTreeSet::new();
    for (code, pointer, value) in planted() {
        let problems = problems(&with(&[(pointer, value.clone())]), EgressRules::default());
        let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
        let shown = value.to_string().chars().take(120).collect::<String>();
        assert!(codes.contains(&code), "{pointer} = {shown}: {code:?} is not among {problems:?}");
        found.insert(code);
    }
    // `Pkce` needs two changes, below.
    let public = with(&[("/token/auth", json!("none")), ("/authorization/pkce", json!("unknown"))]);
    assert_eq!(problems(&public, EgressRules::default()).iter().map(|p| p.code).collect::<Vec<_>>(), [Pkce]);
    found.insert(Pkce);
    // Evidence is the last: a rule added without a mistake planted for it is missed here.
    assert_eq!(found.len(), Evidence as usize + 1, "{found:?}");
}

#[test]
fn loopback_is_for_local_mode_only() {
    let local = EgressRules { allow_loopback_http: true };
    let json = with(&[
        ("/token/url", json!("http://127.0.0.1:3000/token")),
        ("/authorization/url", json!("http://localhost:3000/authorize")),
        ("/authorization/issuer", json!("http://localhost:3000")),
        ("/lookups/0/request/url", json!("http://127.0.0.1:3000/sites")),
        ("/api/hosts", json!(["{api}", "127.0.0.1:*", "localhost:3000"])),
    ]);
    assert_eq!(problems(&json, local), []);
    let codes: BTreeSet<_> =
        problems(&json, EgressRules::default()).iter().map(|problem| problem.code).collect();
    assert_eq!(codes, BTreeSet::from([Address, ApiHost]));
    // Nothing else becomes reachable.
    for url in ["http://acme.example/token", "http://10.0.0.1/", "https://192.168.0.1/"] {
        let codes: Vec<_> =
            problems(&with(&[("/token/url", json!(url))]), local).iter().map(|p| p.code).collect();
        assert!(codes.contains(&Address), "{url}: {codes:?}");
    }
}

#[test]
fn the_worst_definition_is_judged_quickly_and_told_briefly() {
    let values: Vec<String> = (0..40).map(|n| format!("evil{n}.com/")).collect();
    let variables: Vec<Value> = (0..12)
        .map(|n| json!({ "name": format!("v{n}"), "label": "V", "source": "user", "shape": { "one_of": values } }))
        .collect();
    let hosts: Vec<String> = (0..20).map(|n| format!("{{v{}}}.example{n}", n % 12)).collect();
    let mut json = with(&[("/variables", json!(variables)), ("/api/hosts", json!(hosts))]);
    json["scopes"]["known"] =
        (0..200).map(|n| json!({ "scope": format!("s {n}"), "description": "X." })).collect();
    let problems = problems(&json, EgressRules::default());
    assert_eq!(problems.len(), MAX_PROBLEMS);
}

#[test]
fn what_is_told_is_a_code_a_place_and_a_sentence() {
    let json = with(&[("/docs_url", json!("http://docs.acme.example/")), ("/monogram", json!("acme"))]);
    insta::assert_json_snapshot!(problems(&json, EgressRules::default()), @r#"
    [
      {
        "code": "text",
        "at": "monogram",
        "detail": "a monogram has one or two capital letters or digits"
      },
      {
        "code": "address",
        "at": "docs_url",
        "detail": "URL scheme is not https"
      }
    ]
    "#);
}

/// The last two labels of a host.
fn domain(host: &str) -> String {
    let labels: Vec<&str> = host.rsplit('.').take(2).collect();
    labels.into_iter().rev().collect::<Vec<_>>().join(".")
}

#[test]
fn no_value_leads_an_address_of_the_catalogue_to_another_domain() {
    const HOSTILE: [&str; 22] = [
        "evil.com",
        "evil.com/",
        "evil.com#",
        "evil.com?",
        "evil.com%2f",
        "https://evil.com",
        "https://evil.com/.okta.com",
        "https://acme.okta.com@evil.com",
        "evil.com\\.okta.com",
        "a.okta.com.evil.com",
        "evilokta.com",
        "okta.com",
        "127.0.0.1",
        "localhost",
        "169.254.169.254",
        "[::1]",
        "xn--evil",
        "..",
        "a/../../b",
        "evil.com:443",
        "\u{ff0e}evil.com",
        "EVIL",
    ];
    let mut accepted = 0;
    for provider in providers() {
        let addresses = Addresses::new(provider, EgressRules::default());
        let home: BTreeSet<String> = addresses.all_hosts().iter().map(|host| domain(host)).collect();
        assert!(!home.is_empty(), "{}", provider.id);
        for variable in &provider.variables {
            for value in HOSTILE.iter().filter_map(|raw| variable.shape.accept(raw)) {
                accepted += 1;
                for host in addresses.with(&variable.name, &value).all_hosts() {
                    assert!(
                        home.contains(&domain(&host)),
                        "{}: {} = {value} leads to {host}",
                        provider.id,
                        variable.name
                    );
                }
            }
        }
    }
    // Harmless ones are taken, as labels and words: the list is not refused for a reason of its own.
    assert!(accepted > 50, "{accepted}");
}
