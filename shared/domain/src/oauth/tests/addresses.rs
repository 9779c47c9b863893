//! Templates: where a value may stand, and what it can never do there.

use proptest::prelude::*;

use super::super::{Bound, Shape, Template, TemplateError};

fn host() -> Shape {
    Shape::Host(vec!["*.toy.example".to_owned()])
}

/// Renders with one variable `v` of this shape, and one given text `g`.
fn url(template: &str, shape: &Shape, value: &str) -> Result<String, TemplateError> {
    Template::parse(template)?.url(&|name| match name {
        "v" => Ok(Bound::Variable { value, shape }),
        "g" => Ok(Bound::Given(value)),
        name => Err(TemplateError::Unknown(name.to_owned())),
    })
}

#[test]
fn a_template_is_text_and_names() {
    let template = Template::parse("https://{a}.x/{b_2}{a}").unwrap();
    assert_eq!(template.names().collect::<Vec<_>>(), ["a", "b_2", "a"]);
    assert_eq!(Template::parse("plain").unwrap().names().count(), 0);
    let render = |text| Template::parse(text).unwrap().render(|name| (name == "a").then_some("1{b}"));
    // A value is not read again.
    assert_eq!(render("{a}-{a}").unwrap(), "1{b}-1{b}");
    assert_eq!(render("{b}"), Err(TemplateError::Missing("b".to_owned())));
    for bad in ["{", "}", "{}", "{A}", "{a", "a}", "{a}}", "{{a}}", "{ a }", "{1}", "{a-b}", "x}{a"] {
        assert_eq!(Template::parse(bad), Err(TemplateError::Syntax), "{bad}");
    }
}

#[test]
fn a_value_is_encoded_for_where_it_stands() {
    let text = "a/b?c#d e&f=g%2F:é";
    assert_eq!(
        url("https://toy.example/x/{g}/y?q={g}&r=1", &Shape::Word, text).unwrap(),
        "https://toy.example/x/a%2Fb%3Fc%23d%20e%26f%3Dg%252F:%C3%A9/y\
         ?q=a%2Fb%3Fc%23d%20e%26f%3Dg%252F%3A%C3%A9&r=1"
    );
    assert_eq!(
        url("https://toy.example/{v}/x", &Shape::Path, "stores/abc").unwrap(),
        "https://toy.example/stores/abc/x"
    );
    assert_eq!(url("https://toy.example?{g}", &Shape::Word, "a=b").unwrap(), "https://toy.example?a%3Db");
}

#[test]
fn a_host_takes_only_what_cannot_lead_elsewhere() {
    let in_host = |name: &str| Err(TemplateError::InHost(name.to_owned()));
    let label = Shape::DnsLabel;
    assert_eq!(url("https://{v}.toy.example/a", &label, "shop").unwrap(), "https://shop.toy.example/a");
    assert_eq!(url("https://a-{v}.b.toy.example", &label, "x").unwrap(), "https://a-x.b.toy.example");
    assert_eq!(url("https://{v}", &host(), "a.toy.example").unwrap(), "https://a.toy.example");
    assert_eq!(url("https://x.{v}/y", &host(), "a.toy.example").unwrap(), "https://x.a.toy.example/y");
    let one_of = Shape::OneOf(vec!["com.cn".to_owned()]);
    assert_eq!(url("https://toy.{v}/", &one_of, "com.cn").unwrap(), "https://toy.com.cn/");
    // What a step provides is of any form; a word has dots and colons; the end of a checked host must stay its end.
    assert_eq!(url("https://{g}.toy.example/", &label, "shop"), in_host("g"));
    for shape in [Shape::Word, Shape::Path, Shape::Text] {
        assert_eq!(url("https://{v}.toy.example/", &shape, "shop"), in_host("v"));
    }
    for template in ["https://{v}.evil.example/", "https://{v}x/", "https://{v}{v}/", "https://{v}:8443/"] {
        assert_eq!(url(template, &host(), "a.toy.example"), in_host("v"), "{template}");
    }
    assert_eq!(url("https://toy.example:{v}/", &Shape::Digits, "8443"), in_host("v"));
    for open in
        ["https://{v}/", "https://{v}.com/", "https://{v}.co.uk/", "https://toy.{v}/", "https://toy-{v}"]
    {
        assert_eq!(url(open, &label, "evil"), Err(TemplateError::OpenHost), "{open}");
    }
    // Values that no check let through.
    for value in ["evil.example/", "a@b", "a..b", "", "-a", "a.-b", "A", "a:1", "a\\b", "ä"] {
        let error = url("https://{v}.toy.example/", &label, value);
        assert_eq!(error, Err(TemplateError::Shape("v".to_owned())), "{value}");
    }
}

#[test]
fn a_path_has_no_dot_segments() {
    let dots = Err(TemplateError::DotSegment);
    for (template, value) in [
        ("https://toy.example/{v}", ".."),
        ("https://toy.example/{v}/x", "."),
        ("https://toy.example/.{v}", "."),
        ("https://toy.example/{v}{v}/x", "."),
        ("https://toy.example/%2e{v}", "."),
        ("https://toy.example/%2E%2e/{v}", "x"),
        ("https://toy.example/../{v}", "x"),
    ] {
        assert_eq!(url(template, &Shape::Word, value), dots, "{template}");
    }
    assert_eq!(url("https://toy.example/{v}", &Shape::Path, "a/../b"), dots);
    assert_eq!(
        url("https://toy.example/{g}", &Shape::Word, "../.."),
        Ok("https://toy.example/..%2F..".to_owned())
    );
    assert!(url("https://toy.example/{g}/x", &Shape::Word, "").is_err());
    assert_eq!(url("https://toy.example/{v}...", &Shape::Word, "1").unwrap(), "https://toy.example/1...");
}

#[test]
fn an_address_is_absolute_and_text_is_no_part_of_it() {
    for bad in ["{v}", "{v}://toy.example/", "ftp://toy.example/", "//toy.example", "https:/{v}", "/x", ""] {
        assert_eq!(url(bad, &Shape::Word, "x"), Err(TemplateError::NotAUrl), "{bad}");
    }
    for fragment in ["https://toy.example/#x", "https://toy.example#", "https://toy.example?x#{v}"] {
        assert_eq!(url(fragment, &Shape::Word, "x"), Err(TemplateError::NotAUrl), "{fragment}");
    }
    for template in ["https://toy.example/{v}", "https://toy.example/?q={v}"] {
        assert_eq!(url(template, &Shape::Text, "x"), Err(TemplateError::InUrl("v".to_owned())));
    }
}

#[test]
fn hosts_are_taken_out_of_https_addresses_and_held_against_patterns() {
    let shape = Shape::Host(vec!["*.toy.example".to_owned(), "toy.example".to_owned()]);
    for (raw, host) in [
        ("a.toy.example", "a.toy.example"),
        ("TOY.example.", "toy.example"),
        ("https://a.b.toy.example/", "a.b.toy.example"),
        ("https://toy.example/services?x=1#y", "toy.example"),
        ("https://toy.example:443", "toy.example"),
        (" toy.example ", "toy.example"),
    ] {
        assert_eq!(shape.accept(raw).as_deref(), Some(host), "{raw}");
    }
    for raw in [
        "",
        "evil.example",
        "eviltoy.example",
        "toy.example.evil.example",
        "http://toy.example",
        "https://toy.example:8443",
        "https://user@toy.example",
        "https://evil.example\\@toy.example",
        "https://evil.example#.toy.example",
        "https://evil.example/?.toy.example",
        "evil.example/.toy.example",
        "toy.example:443",
        "a..toy.example",
        "https://toy.example%2f.evil.example",
        "javascript://toy.example",
        "//toy.example",
        "127.0.0.1",
        "localhost",
    ] {
        assert_eq!(shape.accept(raw), None, "{raw}");
    }
    // A pattern that says too much still reaches no private host.
    assert_eq!(Shape::Host(vec!["127.0.0.1".to_owned()]).accept("127.0.0.1"), None);
}

proptest! {
    /// Whatever a step or a stranger provides: host, number of segments and number of parameters are the template's.
    #[test]
    fn no_value_changes_the_structure(value in "\\PC{1,40}|[a-z/?#@:%.\\\\{} ]{1,12}") {
        let rendered = url("https://api.toy.example/a/{g}/b?x={g}&y=1", &Shape::Word, &value);
        if value == "." || value == ".." {
            prop_assert_eq!(rendered, Err(TemplateError::DotSegment));
        } else {
            let url = url::Url::parse(&rendered.unwrap()).unwrap();
            prop_assert_eq!(url.host_str(), Some("api.toy.example"));
            prop_assert_eq!(url.port(), None);
            prop_assert_eq!(url.username(), "");
            prop_assert_eq!(url.fragment(), None);
            prop_assert_eq!(url.path_segments().unwrap().count(), 3);
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            prop_assert_eq!(pairs, [("x".to_owned(), value), ("y".to_owned(), "1".to_owned())]);
        }
    }

    /// A value that a shape accepts is accepted again, as the same: stored values pass the second check.
    #[test]
    fn shapes_are_canonical(raw in "\\PC{0,20}|[A-Za-z0-9._~:/-]{0,20}|[A-Z.-]{0,9}\\.toy\\.example\\.?") {
        for shape in [Shape::DnsLabel, Shape::Digits, Shape::Word, Shape::Path, Shape::Text, host()] {
            if let Some(value) = shape.accept(&raw) {
                prop_assert_eq!(shape.accept(&value), Some(value.clone()), "{:?}", shape);
            }
        }
    }
}
