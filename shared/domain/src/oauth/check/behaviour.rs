//! Sizes and texts, and whether the parts of an entry agree with each other.

use super::{ProblemCode, Report, is_label};
use crate::{
    catalogue::Certainty,
    oauth::{
        AccountSource, ClientAuth, Flow, Grace, Pkce, Provider, Refresh, RefreshKind, RefreshTokenRotation,
        Revocation, RevocationAuth, Template,
    },
};

/// Seconds in a year.
const YEAR: u64 = 31_536_000;
/// What stands before the address of a page in a source.
const OFFICIAL: &str = "official documentation: https://";

/// Counts and lengths. Nothing else is looked at before these hold.
pub(super) fn sizes(provider: &Provider, report: &mut Report) {
    let p = provider;
    let empty = &Default::default();
    let reply = &p.token.reply;
    let account = p.account.as_ref();
    let counts = [
        ("variables", p.variables.len(), 12),
        (
            "authorization.params",
            p.authorization.as_ref().map_or(0, |a| a.params.len() + a.switch_account_params.len()),
            30,
        ),
        ("token.params", p.token.params.len(), 20),
        ("token.headers", p.token.headers.len(), 10),
        ("token.upgrade.params", p.token.upgrade.as_ref().map_or(0, |u| u.params.len()), 20),
        ("refresh.params", p.refresh.params.len(), 20),
        (
            "revocation.params",
            p.revocation.as_ref().map_or(0, |r| r.params.as_ref().unwrap_or(empty).len()),
            20,
        ),
        ("revocation.headers", p.revocation.as_ref().map_or(0, |r| r.headers.len()), 10),
        ("revocation.also_success", p.revocation.as_ref().map_or(0, |r| r.also_success.len()), 10),
        ("scopes.known", p.scopes.known.len(), 200),
        ("scopes.always", p.scopes.always.len(), 20),
        ("api.hosts", p.api.hosts.len(), 20),
        ("api.headers", p.api.headers.len(), 10),
        ("lookups", p.lookups.len(), 4),
        ("notes", p.notes.len(), 10),
        ("evidence.sources", p.evidence.sources.len(), 10),
        ("errors", p.errors.dead.len().max(p.errors.transient.len()), 20),
        (
            "account",
            account.map_or(0, |a| {
                a.identifier.len().max(a.also.len()).max(a.display_name.len()).max(a.email.len())
            }),
            5,
        ),
        (
            "token.reply",
            [
                &reply.access_token,
                &reply.refresh_token,
                &reply.expires_in,
                &reply.expires_at,
                &reply.refresh_expires_in,
                &reply.scope,
                &reply.error,
                &reply.error_description,
            ]
            .into_iter()
            .map(Vec::len)
            .max()
            .unwrap_or(0),
            5,
        ),
    ];
    for (at, count, most) in counts {
        report.require(
            count <= most,
            ProblemCode::TooLarge,
            at,
            &format!("{count} are too many: at most {most}"),
        );
    }
    for (at, text) in
        [("docs_url", &p.docs_url), ("token.url", &p.token.url), ("name", &p.name), ("id", &p.id)]
    {
        report.require(text.len() <= 2000, ProblemCode::TooLarge, at, "it has more than 2000 bytes");
    }
    for variable in &p.variables {
        use crate::oauth::Shape::{Digits, DnsLabel, Host, OneOf, Path, Text, Word};
        let values = match &variable.shape {
            OneOf(values) | Host(values) => values.len(),
            DnsLabel | Digits | Word | Path | Text => 0,
        };
        report.require(values <= 40, ProblemCode::TooLarge, "variables", "a shape has at most 40 values");
    }
}

pub(super) fn labels(provider: &Provider, report: &mut Report) {
    let id = &provider.id;
    let legal = (1..=50).contains(&id.len())
        && id.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
    report.require(
        legal,
        ProblemCode::Id,
        "id",
        "an id has 1 to 50 lowercase letters and digits, with single dashes between",
    );
    report.require(is_label(&provider.name, 60), ProblemCode::Text, "name", "a name has 1 to 60 characters");
    report.require(
        is_label(provider.brand(), 60),
        ProblemCode::Text,
        "brand",
        "a brand has 1 to 60 characters",
    );
    let letters = (1..=2).contains(&provider.monogram.chars().count())
        && provider.monogram.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    report.require(
        letters,
        ProblemCode::Text,
        "monogram",
        "a monogram has one or two capital letters or digits",
    );
    for note in &provider.notes {
        let sentence = is_label(note, 300) && note.ends_with('.');
        report.require(
            sentence,
            ProblemCode::Text,
            "notes",
            "a note is a sentence of at most 300 characters",
        );
    }
    if let Some(condition) = &provider.refresh.condition {
        let sentence = is_label(condition, 300) && condition.ends_with('.');
        report.require(
            sentence,
            ProblemCode::Text,
            "refresh.condition",
            "a condition is a sentence of at most 300 characters",
        );
    }
    for code in provider.errors.dead.iter().chain(&provider.errors.transient) {
        report.require(
            is_label(code, 100),
            ProblemCode::Text,
            "errors",
            "an error's code has 1 to 100 characters",
        );
    }
    evidence(provider, report);
}

pub(super) fn check(provider: &Provider, report: &mut Report) {
    flow(provider, report);
    refresh(provider, report);
    if let Some(revocation) = &provider.revocation {
        self::revocation(revocation, report);
    }
    report.require(
        !provider.api.hosts.is_empty(),
        ProblemCode::ApiHost,
        "api.hosts",
        "calls could go nowhere",
    );
    let Some(account) = &provider.account else { return };
    report.require(
        !account.identifier.is_empty(),
        ProblemCode::Account,
        "account.identifier",
        "nothing identifies the account",
    );
    if account.source == AccountSource::Variables {
        let paths = account.identifier.iter().chain(&account.display_name).chain(&account.email);
        let known = |path: &String| provider.variables.iter().any(|variable| variable.name == *path);
        report.require(
            paths.into_iter().all(known),
            ProblemCode::Account,
            "account",
            "it names what is no variable",
        );
    }
}

fn flow(provider: &Provider, report: &mut Report) {
    let (authorization, token) = (provider.authorization.as_ref(), &provider.token);
    let assertion = provider.refresh.kind == RefreshKind::Assertion;
    match provider.flow {
        Flow::AuthorizationCode => {
            report.require(
                authorization.is_some(),
                ProblemCode::Flow,
                "authorization",
                "people need a page to consent on",
            );
            report.require(
                token.grant.is_none(),
                ProblemCode::Flow,
                "token.grant",
                "a code is the grant of this flow",
            );
            report.require(
                !assertion,
                ProblemCode::Flow,
                "refresh.kind",
                "only `flow: jwt_bearer` makes assertions anew",
            );
        }
        Flow::JwtBearer => {
            report.require(
                authorization.is_none(),
                ProblemCode::Flow,
                "authorization",
                "no browser is part of this flow",
            );
            report.require(
                token.grant.is_some(),
                ProblemCode::Flow,
                "token.grant",
                "the assertion of this flow is missing",
            );
            report.require(
                assertion,
                ProblemCode::Flow,
                "refresh.kind",
                "this flow has no other renewal than an assertion",
            );
            report.require(
                token.upgrade.is_none(),
                ProblemCode::Flow,
                "token.upgrade",
                "this flow has no second exchange",
            );
        }
    }
    let Some(authorization) = authorization else { return };
    let public = token.auth == ClientAuth::None;
    let proven = matches!(authorization.pkce, Pkce::Required | Pkce::Supported);
    report.require(
        !public || proven,
        ProblemCode::Pkce,
        "authorization.pkce",
        "a client without a secret needs PKCE (RFC 9700 section 2.1.1)",
    );
    report.require(
        !authorization.iss_required || authorization.issuer.is_some(),
        ProblemCode::Issuer,
        "authorization.issuer",
        "a required `iss` has nothing to be compared with",
    );
}

fn refresh(provider: &Provider, report: &mut Report) {
    let refresh = &provider.refresh;
    let Refresh { kind, rotation, grace, .. } = refresh;
    let mut say = |holds: bool, at: &str, why: &str| report.require(holds, ProblemCode::Refresh, at, why);
    if *kind != RefreshKind::RefreshToken {
        let none = "there is no refresh token that this could be said of";
        say(*rotation == RefreshTokenRotation::Never, "refresh.rotation", none);
        say(*grace == Grace::None, "refresh.grace", none);
        say(refresh.keep.is_none(), "refresh.keep", none);
        say(refresh.live_tokens.is_none() && refresh.limit.is_none(), "refresh.limit", none);
    }
    if *kind == RefreshKind::None {
        let unused = refresh.url.is_none()
            && refresh.params.is_empty()
            && refresh.auth.is_none()
            && refresh.method.is_none()
            && refresh.body.is_none();
        say(unused, "refresh", "there is a request for a refresh that never happens");
    }
    if *kind == RefreshKind::AccessToken {
        let ends = refresh.access_ttl_seconds.is_some() || !provider.token.reply.expires_in.is_empty();
        say(ends, "refresh.access_ttl_seconds", "nothing says when the token has to be renewed");
    }
    if *kind == RefreshKind::RefreshToken {
        say(
            !provider.token.reply.refresh_token.is_empty(),
            "token.reply.refresh_token",
            "the reply has no refresh token",
        );
    }
    match (rotation, grace) {
        (RefreshTokenRotation::Always, Grace::Always) => {
            say(false, "refresh.grace", "a token that is used once cannot be sent again at any time");
        }
        (RefreshTokenRotation::Never, Grace::Seconds(_) | Grace::UntilSuccessorUsed) => {
            say(false, "refresh.grace", "a token without successor has no grace");
        }
        _ => {}
    }
    let mut lived = |holds: bool, at: &str, why: &str| report.require(holds, ProblemCode::Lifetime, at, why);
    if let Grace::Seconds(seconds) = grace {
        lived((1..=604_800).contains(seconds), "refresh.grace", "a grace is 1 s to a week");
    }
    if let Some(seconds) = refresh.access_ttl_seconds {
        lived(
            (60..=10 * YEAR).contains(&seconds),
            "refresh.access_ttl_seconds",
            "an access token lives for a minute to ten years",
        );
    }
    if let Some(keep) = refresh.keep {
        lived(
            (3600..=20 * YEAR).contains(&keep.seconds),
            "refresh.keep",
            "a refresh token lives for an hour to twenty years",
        );
    }
    if let Some(limit) = refresh.limit {
        lived(
            limit.count > 0 && (1..=86_400).contains(&limit.seconds),
            "refresh.limit",
            "a limit is at least one refresh in 1 s to a day",
        );
    }
    lived(refresh.live_tokens != Some(0), "refresh.live_tokens", "at least one token lives");
}

fn revocation(revocation: &Revocation, report: &mut Report) {
    let refused = |status: &u16| (400..500).contains(status) && ![401, 403, 408, 425, 429].contains(status);
    let fits = revocation.also_success.iter().all(refused);
    report.require(
        fits,
        ProblemCode::Revocation,
        "revocation.also_success",
        "only a status of 4xx that cannot mean \"not now\" or \"not you\"",
    );
    let Some(params) = &revocation.params else { return };
    // A request that names neither token nor account would revoke nothing, and look like a success.
    let mut templates: Vec<&str> =
        params.values().chain(revocation.headers.values()).map(String::as_str).collect();
    templates.push(&revocation.url);
    if let RevocationAuth::Header { value, .. } = &revocation.auth {
        templates.push(value);
    }
    let general = ["client_id", "client_secret"];
    let names_it = |text: &&str| {
        Template::parse(text).is_ok_and(|template| template.names().any(|name| !general.contains(&name)))
    };
    let told = revocation.auth == RevocationAuth::Bearer || templates.iter().any(names_it);
    report.require(
        told,
        ProblemCode::Revocation,
        "revocation.params",
        "nothing says which token or account is meant",
    );
}

fn evidence(provider: &Provider, report: &mut Report) {
    let evidence = &provider.evidence;
    let date = evidence.date.split_once('-').is_some_and(|(year, month)| {
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
        digits(year, 4) && digits(month, 2) && ("01"..="12").contains(&month)
    });
    report.require(date, ProblemCode::Evidence, "evidence.date", "a date is a year and a month, 2026-11");
    let sources = &evidence.sources;
    report.require(!sources.is_empty(), ProblemCode::Evidence, "evidence.sources", "there is no source");
    report.require(
        sources.iter().all(|source| is_label(source, 300)),
        ProblemCode::Text,
        "evidence.sources",
        "a source has 1 to 300 characters",
    );
    let official = sources.iter().any(|source| source.starts_with(OFFICIAL));
    let mut independent: Vec<&String> = sources.iter().collect();
    independent.sort_unstable();
    independent.dedup();
    for (at, certainty) in
        [("evidence.endpoints", evidence.endpoints), ("evidence.behaviour", evidence.behaviour)]
    {
        let proven = certainty != Certainty::High || official || independent.len() >= 2;
        report.require(
            proven,
            ProblemCode::Evidence,
            at,
            "high needs two sources that agree, or the official page",
        );
    }
}
