//! Addresses of OAuth providers: a value can be anything that its shape takes, and leads nowhere but where the entry says.
//!
//! Input: the template on the first line, the variable's shape as JSON on the second, its raw value on the third.

#![no_main]

use alter_domain::{
    egress::{EgressRules, Target},
    oauth::{Bound, Shape, Template, TemplateError},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (Some(source), Some(shape), Some(raw)) = (lines.next(), lines.next(), lines.next()) else { return };
    let Ok(template) = Template::parse(source) else { return };
    let Ok(shape) = serde_json::from_str::<Shape>(shape) else { return };
    let Some(value) = shape.accept(raw) else { return };
    assert_eq!(shape.accept(&value).as_deref(), Some(value.as_str()), "a checked value is checked again");
    let lookup = |name: &str| match name {
        "x" => Ok(Bound::Variable { value: &value, shape: &shape }),
        other => Err(TemplateError::Unknown(other.to_owned())),
    };
    let Ok(url) = template.url(&lookup) else { return };
    let Ok(target) = Target::parse(&url, &EgressRules::default()) else { return };
    let reached = target.url();
    assert!(reached.username().is_empty() && reached.password().is_none() && reached.fragment().is_none());
    let rest = source.strip_prefix("https://").expect("only https passes these rules");
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    match authority.rsplit_once('}') {
        None => {
            let fixed = Target::parse(&format!("https://{authority}/"), &EgressRules::default());
            assert_eq!(fixed.expect("a fixed host").host(), target.host(), "{url} leads elsewhere");
        }
        // One of the entry's own texts, or a host that was checked against the entry's suffixes.
        Some((_, "")) => {
            assert!(matches!(shape, Shape::Host(_) | Shape::OneOf(_)), "{url} ends in what a value gives");
        }
        Some((_, end)) => {
            let end = end.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
            assert!(target.host().ends_with(&end), "{url} leads elsewhere");
        }
    }
    if !matches!(shape, Shape::Path) {
        let segments = |path: &str| path.split('?').next().unwrap_or_default().matches('/').count().max(1);
        assert_eq!(segments(path), segments(reached.path()), "{url} has another path");
    }
});
