//! `docs/providers.md`, made from the data.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Category, Certainty};
use crate::oauth::{
    Flow, Grace, Pkce, Provider, Refresh, RefreshKind, RefreshTokenRotation, RevocationAuth, VariableSource,
};

/// The whole document. A test holds the committed file to it; `cargo xtask providers-doc` writes it.
pub fn providers_markdown() -> String {
    let all = super::providers();
    let mut groups: BTreeMap<Category, Vec<&Provider>> = BTreeMap::new();
    for provider in all {
        groups.entry(provider.category).or_default().push(provider);
    }
    let mut text = String::from(HEAD);
    line(&mut text, format_args!("{} providers, as of {}.", all.len(), newest(all)));
    for (category, mut providers) in groups {
        providers.sort_by_key(|provider| provider.name.to_lowercase());
        line(&mut text, format_args!("\n## {}\n", title(category)));
        text.push_str("| Provider | Id | Scopes | PKCE | Renewal | Revocation | Certainty |\n|---|---|---|---|---|---|---|\n");
        for provider in &providers {
            row(&mut text, provider);
        }
        for provider in providers {
            notes(&mut text, provider);
        }
    }
    text
}

const HEAD: &str = "\
<!-- Made from shared/domain/data/oauth-providers.json by `cargo xtask providers-doc`: edit that file instead. -->

# OAuth providers

The catalogue of providers that people can connect. An app uses one after its operator has registered a client there and
entered its id and secret. Any other provider can be described as Custom OAuth, with the same fields; `alter provider check`
says whether a description is right.

* **Scopes**: how many the catalogue describes in plain words. An operator may name others. *set there*: the provider takes
  none in a request; permissions belong to the app's registration.
* **PKCE**: *required*, *sent*, *not sent* (it would break the flow or change the app), or *untried* (sent: servers ignore what they do not know).
* **Renewal**: how long an access token lives where that is known; whether the refresh token is replaced when it is used;
  *grace*, how long a replaced one still works, because a reply can be lost; *kept*, how long one lives.
* **Revocation**: how the provider is told when a connection is revoked. Without a way, the vault still deletes the tokens at
  once.
* **Certainty**: of addresses, then of behaviour. *high*: two independent sources agree, or the official page was read.
  *medium*: one source. *low*: to be confirmed before use. No entry has been tried against the live provider for this table.

";

fn row(text: &mut String, provider: &Provider) {
    let scopes = match (provider.scopes.none, provider.scopes.known.len()) {
        (true, _) => "set there".to_owned(),
        (false, known) => known.to_string(),
    };
    let evidence = &provider.evidence;
    line(
        text,
        format_args!(
            "| [{}]({}) | `{}` | {scopes} | {} | {} | {} | {}, {} |",
            provider.name,
            provider.docs_url,
            provider.id,
            pkce(provider),
            renewal(&provider.refresh),
            revocation(provider),
            certainty(evidence.endpoints),
            certainty(evidence.behaviour),
        ),
    );
}

/// What an operator has to know or enter, below the table.
fn notes(text: &mut String, provider: &Provider) {
    let asked = |source: &VariableSource| {
        let labels: Vec<_> =
            provider.variables.iter().filter(|v| v.source == *source).map(|v| v.label.as_str()).collect();
        labels.join("; ")
    };
    let mut lines = Vec::new();
    for (who, source) in
        [("The operator enters", VariableSource::Operator), ("The person enters", VariableSource::User)]
    {
        let labels = asked(&source);
        if !labels.is_empty() {
            lines.push(format!("{who}: {labels}."));
        }
    }
    lines.extend(provider.refresh.condition.clone());
    if let Some(most) = provider.refresh.live_tokens {
        lines.push(format!("{most} refresh tokens live per account and client."));
    }
    lines.extend(provider.notes.iter().cloned());
    if lines.is_empty() {
        return;
    }
    line(text, format_args!("\n**{}**\n", provider.name));
    for note in lines {
        line(text, format_args!("* {note}"));
    }
}

fn pkce(provider: &Provider) -> &'static str {
    match provider.authorization.as_ref().map(|authorization| authorization.pkce) {
        None => "no browser",
        Some(Pkce::Required) => "required",
        Some(Pkce::Supported) => "sent",
        Some(Pkce::Breaks) => "not sent",
        Some(Pkce::Unknown) => "untried",
    }
}

fn renewal(refresh: &Refresh) -> String {
    let mut parts = Vec::new();
    parts.extend(refresh.access_ttl_seconds.map(span));
    match refresh.kind {
        RefreshKind::None => parts.push("not renewed".to_owned()),
        RefreshKind::AccessToken => parts.push("with the token itself".to_owned()),
        RefreshKind::Assertion => parts.push("signed anew".to_owned()),
        RefreshKind::RefreshToken => {
            let replaced = match refresh.rotation {
                RefreshTokenRotation::Never => "not replaced",
                RefreshTokenRotation::Sometimes => "may be replaced",
                RefreshTokenRotation::Always => "replaced",
            };
            parts.push(replaced.to_owned());
        }
    }
    match refresh.grace {
        Grace::Seconds(seconds) => parts.push(format!("grace {}", span(seconds))),
        Grace::UntilSuccessorUsed => parts.push("grace until the next is used".to_owned()),
        Grace::Always if refresh.rotation != RefreshTokenRotation::Never => {
            parts.push("old ones go on".to_owned());
        }
        Grace::None | Grace::Always => {}
    }
    if let Some(keep) = refresh.keep {
        parts.push(format!("kept {}{}", span(keep.seconds), if keep.idle { " unused" } else { "" }));
    }
    parts.join(", ")
}

fn revocation(provider: &Provider) -> &'static str {
    match &provider.revocation {
        None if provider.flow == Flow::JwtBearer => "delete the key",
        None => "none known",
        Some(revocation) if revocation.params.is_none() && revocation.auth == RevocationAuth::Client => {
            "RFC 7009"
        }
        Some(_) => "its own way",
    }
}

fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::High => "high",
        Certainty::Medium => "medium",
        Certainty::Low => "low",
    }
}

fn title(category: Category) -> &'static str {
    match category {
        Category::Ai => "AI",
        Category::Analytics => "Analytics",
        Category::Cloud => "Cloud",
        Category::Commerce => "Commerce",
        Category::Communication => "Communication",
        Category::Crm => "CRM and sales",
        Category::Data => "Data",
        Category::DeveloperTools => "Developer tools",
        Category::Finance => "Finance",
        Category::Health => "Health",
        Category::Identity => "Identity",
        Category::Marketing => "Marketing",
        Category::Media => "Media and design",
        Category::Monitoring => "Monitoring",
        Category::Payments => "Payments",
        Category::People => "People",
        Category::Productivity => "Productivity",
        Category::Security => "Security",
        Category::Social => "Social",
        Category::Support => "Support",
    }
}

/// In the largest unit that fits without remainder, or nearly.
fn span(seconds: u64) -> String {
    let (unit, size) = match seconds {
        0..120 => ("s", 1),
        120..3_540 => ("min", 60),
        3_540..172_800 => ("h", 3_600),
        _ => ("d", 86_400),
    };
    format!("{} {unit}", seconds.saturating_add(size / 2) / size)
}

fn newest(all: &[Provider]) -> &str {
    all.iter().map(|provider| provider.evidence.date.as_str()).max().unwrap_or_default()
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = text.write_fmt(arguments);
    text.push('\n');
}
