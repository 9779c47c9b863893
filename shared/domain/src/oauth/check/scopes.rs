//! Scopes, and what people are told of them.

use std::collections::BTreeSet;

use super::{ProblemCode, Report, is_label};
use crate::oauth::Provider;

pub(super) fn check(provider: &Provider, report: &mut Report) {
    let scopes = &provider.scopes;
    let known = [" ", ",", ";", "|"].contains(&scopes.separator.as_str());
    report.require(
        known,
        ProblemCode::Scopes,
        "scopes.separator",
        "scopes are separated by a space or one of , ; |",
    );
    let mut seen = BTreeSet::new();
    for (at, scope) in scopes
        .known
        .iter()
        .map(|info| ("scopes.known", &info.scope))
        .chain(scopes.always.iter().map(|scope| ("scopes.always", scope)))
    {
        // RFC 6749 section 3.3.
        let token = (1..=200).contains(&scope.len())
            && scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
            && !scope.contains(&scopes.separator);
        report.require(
            token,
            ProblemCode::Scopes,
            at,
            &format!("{scope:?} is not a scope (RFC 6749 section 3.3)"),
        );
        report.require(seen.insert(scope), ProblemCode::Scopes, at, &format!("{scope:?} is there twice"));
    }
    for info in &scopes.known {
        let text = &info.description;
        let fits = is_label(text, 150)
            && text.trim() == text
            && !text.ends_with('.')
            && text.starts_with(|c: char| c.is_lowercase());
        report.require(
            fits,
            ProblemCode::Text,
            &format!("scopes.{}", info.scope),
            "the description goes on after \"It will be able to\": a small letter first, no full stop, at most 150 characters",
        );
    }
    report.require(
        !(scopes.none && !(scopes.known.is_empty() && scopes.always.is_empty())),
        ProblemCode::Scopes,
        "scopes.none",
        "there are scopes",
    );
}
