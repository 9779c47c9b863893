//! Rules: what may be injected where, and how it is stored.

use insta::assert_json_snapshot;

use super::*;

fn rule(target: Target, name: &str) -> Result<InjectRule, InjectionError> {
    InjectRule::new(target, name, "{k}")
}

fn rules(list: &[(Target, &str)]) -> Result<Rules, InjectionError> {
    Rules::new(list.iter().map(|(t, n)| rule(*t, n).unwrap()).collect())
}

#[test]
fn headers_that_frame_or_mislead_are_refused() {
    for name in REFUSED_HEADERS.iter().chain(&["Host", "X-Alter-Signature", "alter-x", "Transfer-Encoding"]) {
        let refused = InjectionError::RefusedHeader(name.to_ascii_lowercase());
        assert_eq!(rule(Target::Header, name).unwrap_err(), refused);
    }
    for name in ["", "a b", "a:b", "a\n", "é", "(x)"] {
        assert_eq!(rule(Target::Header, name).unwrap_err(), InjectionError::HeaderName(name.into()));
    }
    for name in ["Authorization", "x-api-key", "DD-API-KEY", "api-key"] {
        assert_eq!(rule(Target::Header, name).unwrap().name(), name.to_ascii_lowercase());
    }
}

#[test]
fn query_names_need_no_escaping() {
    for name in ["", "a b", "a&b", "a=b", "é", "a#", &"x".repeat(65)] {
        assert_eq!(rule(Target::Query, name).unwrap_err(), InjectionError::QueryName(name.into()));
    }
    assert_eq!(rule(Target::Query, "auth[key]").unwrap().name(), "auth[key]");
}

#[test]
fn one_to_ten_rules_for_different_places() {
    assert_eq!(rules(&[]).unwrap_err(), InjectionError::RuleCount);
    let names: Vec<String> = (0..11).map(|n| format!("x-{n}")).collect();
    let all: Vec<_> = names.iter().map(|n| (Target::Header, n.as_str())).collect();
    assert_eq!(rules(&all).unwrap_err(), InjectionError::RuleCount);
    assert_eq!(rules(&all[1..]).unwrap().iter().count(), 10);
    let twice = [(Target::Header, "X-Key"), (Target::Header, "x-key")];
    assert_eq!(rules(&twice).unwrap_err(), InjectionError::Duplicate("x-key".into()));
    let twice = [(Target::Query, "key"), (Target::Query, "KEY")];
    assert_eq!(rules(&twice).unwrap_err(), InjectionError::Duplicate("KEY".into()));
    assert!(rules(&[(Target::Header, "key"), (Target::Query, "key")]).is_ok());
}

#[test]
fn every_field_is_there_and_used() {
    let basic = Injection::basic();
    assert_eq!(basic.check(["username", "password"]), Ok(()));
    assert_eq!(basic.check(["username"]), Err(InjectionError::UnknownField("password".into())));
    assert_eq!(basic.check(["username", "password", "pin"]), Err(InjectionError::UnusedField("pin".into())));
    let aws = Injection::aws_sigv4();
    assert_eq!(aws.check(["access_key_id", "secret_access_key"]), Ok(()));
    assert_eq!(aws.check(["access_key_id", "secret_access_key", "session_token"]), Ok(()));
    assert_eq!(aws.check(["access_key_id"]), Err(InjectionError::MissingField("secret_access_key")));
    assert_eq!(
        aws.check(["access_key_id", "secret_access_key", "region"]),
        Err(InjectionError::UnusedField("region".into()))
    );
}

#[test]
fn standard_types_agree_with_their_fields() {
    for (kind, injection) in [
        (CredentialType::Bearer, Injection::bearer()),
        (CredentialType::ApiKey, Injection::api_key("X-API-Key").unwrap()),
        (CredentialType::Basic, Injection::basic()),
        (CredentialType::AwsSigv4, Injection::aws_sigv4()),
    ] {
        assert_eq!(injection.check(kind.fields().iter().copied()), Ok(()), "{kind:?}");
        assert!(kind.public_fields().iter().all(|f| kind.fields().contains(f)));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    assert!(Injection::api_key("Host").is_err());
}

#[test]
fn stored_shape() {
    let both = Rules::new(vec![
        InjectRule::new(Target::Header, "X-Key", "Key {a}").unwrap(),
        InjectRule::new(Target::Query, "t", "{b}").unwrap(),
    ]);
    let all = [Injection::Rules(both.unwrap()), Injection::AwsSigv4, Injection::basic()];
    assert_json_snapshot!(all, @r#"
    [
      {
        "rules": [
          {
            "target": "header",
            "name": "x-key",
            "format": "Key {a}"
          },
          {
            "target": "query",
            "name": "t",
            "format": "{b}"
          }
        ]
      },
      "aws_sigv4",
      {
        "rules": [
          {
            "target": "header",
            "name": "authorization",
            "format": "Basic {basic(username:password)}"
          }
        ]
      }
    ]
    "#);
    let text = serde_json::to_string(&all).unwrap();
    assert_eq!(serde_json::from_str::<[Injection; 3]>(&text).unwrap(), all);
}

#[test]
fn stored_rules_are_checked_when_read() {
    for bad in [
        r#"{"rules":[]}"#,
        r#"{"rules":[{"target":"header","name":"host","format":"{a}"}]}"#,
        r#"{"rules":[{"target":"header","name":"x","format":"plain"}]}"#,
        r#"{"rules":[{"target":"body","name":"x","format":"{a}"}]}"#,
        r#"{"rules":[{"target":"header","name":"x","format":"{a}","more":1}]}"#,
        r#""none""#,
    ] {
        assert!(serde_json::from_str::<Injection>(bad).is_err(), "{bad}");
    }
}
