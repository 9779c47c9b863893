//! The data file is right in itself; what it injects is on record; the documentation shows it.

use std::{collections::HashSet, fmt::Write as _};

use http::{HeaderMap, Method};
use insta::assert_snapshot;
use jiff::Timestamp;
use url::Url;

use super::*;
use crate::{
    egress::{EgressRules, Target},
    inject::{
        CredentialType, FieldsError, InjectError, Injection, OutgoingHead, Payload, Target as Place, inject,
    },
    secret::Secret,
};

const DOCUMENT: &str = include_str!("../../../../docs/managed-secrets.md");

/// A value for every field: its name in capitals and ten digits.
fn dummies(template: &Template) -> Vec<(String, Secret<String>)> {
    let value = |name: &str| Secret::new(format!("{}0123456789", name.to_uppercase()));
    template.fields.iter().map(|field| (field.name.clone(), value(&field.name))).collect()
}

fn head(url: &str) -> OutgoingHead {
    OutgoingHead { method: Method::GET, url: Url::parse(url).unwrap(), headers: HeaderMap::new() }
}

/// A host that the template allows.
fn host(template: &Template) -> String {
    template.allowed_hosts.0[0].to_string().replace('*', "tenant")
}

#[test]
fn every_entry_is_whole() {
    let all = template::parse(SOURCE).unwrap();
    assert!(all.len() >= 60, "{}", all.len());
    for t in &all {
        let slug = &t.slug;
        let grammar = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!((1..=50).contains(&slug.len()) && slug.chars().all(grammar), "{slug}");
        assert!(!t.name.is_empty() && t.name.len() <= 60, "{slug}");
        assert!(t.fields.iter().all(|f| !f.label.is_empty()), "{slug}");
        t.injection.check(t.fields.iter().map(|f| f.name.as_str())).unwrap_or_else(|e| panic!("{slug}: {e}"));
        assert!(!t.allowed_hosts.0.is_empty(), "{slug}");
        assert_eq!(Url::parse(&t.docs_url).unwrap().scheme(), "https", "{slug}");
        assert_eq!(t.evidence.date, "2026-11", "{slug}");
        assert!(!t.evidence.source.is_empty() && t.evidence.certainty != Certainty::Low, "{slug}");
    }
    let names: HashSet<_> = all.iter().map(|t| &t.name).collect();
    assert_eq!(names.len(), all.len(), "two entries have one name");
}

#[test]
fn the_type_says_what_the_rules_do() {
    for t in templates() {
        let rules: Vec<_> = match &t.injection {
            Injection::AwsSigv4 => {
                assert_eq!(t.credential_type, CredentialType::AwsSigv4, "{}", t.slug);
                continue;
            }
            Injection::Rules(rules) => rules.iter().collect(),
        };
        let format = rules[0].format().to_string();
        let authorization = rules[0].target() == Place::Header && rules[0].name() == "authorization";
        let expected = match rules.len() {
            1 if t.injection == Injection::bearer() => CredentialType::Bearer,
            1 if authorization && format.starts_with("Basic {basic(") => CredentialType::Basic,
            1 if !authorization && rules[0].target() == Place::Header && format == "{api_key}" => {
                CredentialType::ApiKey
            }
            _ => CredentialType::Custom,
        };
        assert_eq!(t.credential_type, expected, "{}", t.slug);
    }
}

#[test]
fn test_requests_stay_within_the_allowed_hosts_and_read_only() {
    let mut count = 0;
    for t in templates() {
        let Some(test) = &t.test_request else { continue };
        let target = Target::parse(&test.url, &EgressRules::default()).unwrap();
        assert_eq!(target.check_hosts(&t.allowed_hosts), Ok(()), "{}", t.slug);
        assert_eq!(test.method, Method::GET, "{}", t.slug);
        count += 1;
    }
    assert!(count >= 60, "{count}");
}

#[test]
fn what_every_template_injects() {
    let mut table = String::new();
    for t in templates() {
        let (fields, injection) = t.instantiate(dummies(t)).unwrap();
        let host = if t.slug == "aws" { "sts.amazonaws.com".to_owned() } else { host(t) };
        let mut head = head(&format!("https://{host}/"));
        t.default_headers.apply(&mut head.headers);
        let injected =
            inject(&injection, &fields, &mut head, Payload::Bytes(b""), Timestamp::UNIX_EPOCH).unwrap();
        writeln!(table, "{} {}", t.slug, head.url).unwrap();
        for (name, value) in &head.headers {
            writeln!(table, "    {name}: {}", value.to_str().unwrap()).unwrap();
        }
        // Whatever was added and is secret is known to the reply scanner.
        let sent = format!(
            "{}{:?}",
            head.url,
            head.headers.values().map(|v| v.to_str().unwrap()).collect::<Vec<_>>()
        );
        assert!(
            injected.values.iter().any(|secret| sent.contains(secret.expose_secret().as_str())),
            "{}",
            t.slug
        );
    }
    assert_snapshot!(table);
}

#[test]
fn what_the_documents_promise() {
    let datadog = template("datadog").unwrap();
    let headers: Vec<_> = match &datadog.injection {
        Injection::Rules(rules) => rules.iter().map(ToString::to_string).collect(),
        Injection::AwsSigv4 => panic!(),
    };
    assert_eq!(headers, ["dd-api-key: {api_key}", "dd-application-key: {application_key}"]);
    assert_eq!(template("stripe").unwrap().injection, Injection::bearer());
    assert_eq!(template("aws").unwrap().injection, Injection::AwsSigv4);
    assert_eq!(template("no-such-service"), None);
}

#[test]
fn an_optional_field_takes_its_rule_with_it() {
    let datadog = template("datadog").unwrap();
    let key = ("api_key".to_owned(), Secret::new("0123456789abcdef".to_owned()));
    let (fields, injection) = datadog.instantiate(vec![key]).unwrap();
    let mut head = head("https://api.datadoghq.com/api/v1/validate");
    inject(&injection, &fields, &mut head, Payload::Bytes(b""), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(head.headers["dd-api-key"], "0123456789abcdef");
    assert_eq!(head.headers.len(), 1);
}

#[test]
fn what_is_entered_wrongly_is_refused() {
    let twilio = template("twilio").unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), Secret::new(value.to_owned()));
    let refused = |values| twilio.instantiate(values).unwrap_err();
    assert_eq!(refused(vec![pair("account_sid", "AC1")]), TemplateError::Missing("auth_token".into()));
    let unknown = vec![pair("account_sid", "AC1"), pair("auth_token", "12345678"), pair("token", "x")];
    assert_eq!(refused(unknown), TemplateError::Unknown("token".into()));
    let short = vec![pair("account_sid", "AC1"), pair("auth_token", "1234")];
    assert_eq!(refused(short), FieldsError::TooShort("auth_token".into()).into());
}

#[test]
fn a_caller_cannot_set_what_a_template_sets() {
    for t in templates() {
        let Injection::Rules(rules) = &t.injection else { continue };
        let (fields, injection) = t.instantiate(dummies(t)).unwrap();
        for rule in rules.iter() {
            let mut head = head(&format!("https://{}/", host(t)));
            match rule.target() {
                Place::Header => {
                    let name = http::HeaderName::try_from(rule.name()).unwrap();
                    head.headers.insert(name, http::HeaderValue::from_static("mine"));
                }
                Place::Query => head.url.set_query(Some(&format!("{}=mine", rule.name().to_uppercase()))),
            }
            let error = inject(&injection, &fields, &mut head, Payload::Bytes(b""), Timestamp::UNIX_EPOCH);
            assert_eq!(error.unwrap_err(), InjectError::CallerSetsInjected(rule.name().into()), "{}", t.slug);
        }
    }
}

#[test]
fn a_broken_file_is_an_error() {
    for bad in ["", "{}", r#"{"templates":[{"slug":"x"}]}"#] {
        assert!(matches!(template::parse(bad), Err(TemplateError::Data(_))), "{bad}");
    }
    let mut twice: serde_json::Value = serde_json::from_str(SOURCE).unwrap();
    let first = twice["templates"][0].clone();
    twice["templates"].as_array_mut().unwrap().insert(0, first);
    assert!(matches!(template::parse(&twice.to_string()), Err(TemplateError::Data(_))));
}

/// The table of docs/managed-secrets.md. To renew it, put what this test prints between the markers.
#[test]
fn documentation_lists_every_template() {
    let mut table =
        String::from("| Service | Slug | Type | Injected | Hosts | Certainty |\n|---|---|---|---|---|---|\n");
    for t in templates() {
        let injected = match &t.injection {
            Injection::AwsSigv4 => "SigV4 signature".to_owned(),
            Injection::Rules(rules) => {
                rules.iter().map(|r| format!("`{r}`")).collect::<Vec<_>>().join("<br>")
            }
        };
        let hosts: Vec<String> = t.allowed_hosts.0.iter().map(|h| format!("`{h}`")).collect();
        let certainty = format!("{:?}", t.evidence.certainty).to_lowercase();
        writeln!(
            table,
            "| [{}]({}) | `{}` | {} | {injected} | {} | {certainty} |",
            t.name,
            t.docs_url,
            t.slug,
            t.credential_type.as_str(),
            hosts.join("<br>")
        )
        .unwrap();
    }
    let (_, rest) = DOCUMENT.split_once("<!-- templates -->\n").unwrap();
    let (written, _) = rest.split_once("<!-- /templates -->").unwrap();
    assert!(written == table, "the table should read:\n{table}");
}
