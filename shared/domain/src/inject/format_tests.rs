//! Formats: what parses, what they produce, what is refused.

use proptest::prelude::*;

use super::*;
use crate::secret::Secret;

fn fields() -> CredentialFields {
    let pairs = [("user", "ada"), ("email", "a@b.co"), ("pass", "open sesame"), ("evil", "a:b")];
    let pairs = pairs.map(|(n, v)| (n, Secret::new(v.to_owned())));
    CredentialFields::from_pairs(pairs, &["user", "email", "evil"]).unwrap()
}

fn render(source: &str) -> Result<(String, Vec<String>), RenderError> {
    let (mut out, mut derived) = (String::new(), Vec::new());
    Format::parse(source).unwrap().render(&fields(), &mut out, |d| derived.push(d.to_owned()))?;
    Ok((out, derived))
}

#[test]
fn fills_in_fields_and_literals() {
    assert_eq!(render("Bearer {pass}").unwrap().0, "Bearer open sesame");
    assert_eq!(render("{user}:{pass}").unwrap().0, "ada:open sesame");
    assert_eq!(render("{{{user}}}").unwrap().0, "{ada}");
    assert_eq!(render("token=\"{pass}\", x").unwrap(), ("token=\"open sesame\", x".into(), vec![]));
}

#[test]
fn basic_is_base64_of_user_colon_password() {
    // RFC 7617, section 2: Aladdin, open sesame.
    let (value, derived) = render("Basic {basic('Aladdin':pass)}").unwrap();
    assert_eq!(value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(derived, ["QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
    assert_eq!(render("{basic(pass:)}").unwrap().0, STANDARD.encode("open sesame:"));
    assert_eq!(render("{basic(email'/token':pass)}").unwrap().0, STANDARD.encode("a@b.co/token:open sesame"));
    assert_eq!(render("{basic(user:'}:'pass)}").unwrap().0, STANDARD.encode("ada:}:open sesame"));
}

#[test]
fn a_colon_in_the_user_is_refused() {
    assert_eq!(render("{basic(evil:pass)}").unwrap_err(), RenderError::ColonInUser);
    assert_eq!(Format::parse("{basic('a:b':pass)}").unwrap_err(), FormatError::ColonInUser);
}

#[test]
fn an_absent_field_is_an_error_not_an_empty_text() {
    assert_eq!(render("{nope}").unwrap_err(), RenderError::MissingField("nope".into()));
    assert_eq!(render("{basic(user:nope)}").unwrap_err(), RenderError::MissingField("nope".into()));
}

#[test]
fn refuses_what_is_not_a_format() {
    let cases = [
        ("", FormatError::Length),
        (&*"x".repeat(513), FormatError::Length),
        ("a{b}\n", FormatError::Character),
        ("a{b}\u{7f}", FormatError::Character),
        ("ä{b}", FormatError::Character),
        ("{a", FormatError::Brace),
        ("a}", FormatError::Brace),
        ("a} {b}", FormatError::Brace),
        ("{}", FormatError::Reference(String::new())),
        ("{A}", FormatError::Reference("A".into())),
        ("{ a}", FormatError::Reference(" a".into())),
        ("{basic(a)}", FormatError::Reference("basic(a)".into())),
        ("{basic(a:b:c)}", FormatError::Reference("basic(a:b:c)".into())),
        ("{basic(a:'b)}", FormatError::Brace),
        ("{basic(a:'')}", FormatError::Reference("basic(a:'')".into())),
        ("{basic(:)}", FormatError::NoField),
        ("{base64(a)}", FormatError::Reference("base64(a)".into())),
        ("plain", FormatError::NoField),
        ("{{a}}", FormatError::NoField),
    ];
    for (source, expected) in cases {
        assert_eq!(Format::parse(source).unwrap_err(), expected, "{source:?}");
    }
}

#[test]
fn names_its_fields() {
    let format = Format::parse("{a}{basic(b'x':c)} {a}").unwrap();
    assert_eq!(format.fields().collect::<Vec<_>>(), ["a", "b", "c", "a"]);
}

proptest! {
    #[test]
    fn parsing_never_panics_and_what_parses_prints_and_parses_again(source in "[{}'():a-c _basic]{0,24}|\\PC{0,40}") {
        if let Ok(format) = Format::parse(&source) {
            let printed = format.to_string();
            prop_assert_eq!(Format::parse(&printed).unwrap(), format);
        }
    }

    #[test]
    fn canonical_sources_print_as_they_were_written(
        words in proptest::collection::vec("[A-Za-z =,\"]{1,8}|\\{[a-z][a-z0-9_]{0,8}\\}|\\{\\{|\\}\\}", 0..8),
    ) {
        let source = format!("{}{{last}}", words.concat());
        prop_assert_eq!(Format::parse(&source).unwrap().to_string(), source);
    }

    #[test]
    fn values_are_never_read_as_format(value in "[ -~]{8,40}", before in "[A-Za-z ]{0,10}") {
        let pair = [("k", Secret::new(value.clone()))];
        let fields = CredentialFields::from_pairs(pair, &[]).unwrap();
        let mut out = String::new();
        Format::parse(&format!("{before}{{k}}")).unwrap().render(&fields, &mut out, |_| ()).unwrap();
        prop_assert_eq!(out, format!("{before}{value}"));
    }

    #[test]
    fn basic_decodes_to_its_pair(password in "\\PC{8,40}") {
        let pair = [("p", Secret::new(password.clone()))];
        let fields = CredentialFields::from_pairs(pair, &[]).unwrap();
        let mut out = String::new();
        Format::parse("{basic('u':p)}").unwrap().render(&fields, &mut out, |_| ()).unwrap();
        prop_assert_eq!(STANDARD.decode(out).unwrap(), format!("u:{password}").into_bytes());
    }
}
