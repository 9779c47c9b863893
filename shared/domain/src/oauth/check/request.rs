//! What requests are made of: names that a step knows, parameters, headers, paths into replies, assertions.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ProblemCode, Report,
    address::{is_parameter, is_path, own_requests},
};
use crate::{
    inject::{DefaultHeaders, InjectRule, Target as Place},
    oauth::{
        Assertion, ClientAuth, Provider, RevocationAuth, STEP_NAMES, Shape, SuccessFlag, Template,
        VariableSource, scrub::ID_TOKEN,
    },
};

/// Whose variables have values when a step runs, and which names it provides.
#[derive(Clone, Copy)]
struct Step {
    names: &'static [&'static str],
    /// Those of the redirect.
    callback: bool,
    /// Those of the reply.
    reply: bool,
    lookups: Lookups,
}

#[derive(Clone, Copy)]
enum Lookups {
    None,
    /// Those before this one.
    Before(usize),
    All,
}

const START: Step = Step {
    names: &["client_id", "redirect_uri", "scope"],
    callback: false,
    reply: false,
    lookups: Lookups::None,
};
const TOKEN: Step = Step {
    names: &["client_id", "client_secret", "redirect_uri", "code", "refresh_token", "scope"],
    callback: true,
    reply: false,
    lookups: Lookups::None,
};
const TOKEN_HEADERS: Step = Step { names: &["client_id", "client_secret", "redirect_uri"], ..TOKEN };
const CLAIMS: Step = Step { names: &["client_id", "redirect_uri", "scope", "jti"], ..TOKEN };
const UPGRADE: Step = Step { names: &["client_id", "client_secret", "access_token"], ..TOKEN };
const AFTER: Step = Step { names: &["client_id"], callback: true, reply: true, lookups: Lookups::All };
const REFRESH: Step = Step {
    names: &["client_id", "client_secret", "redirect_uri", "scope", "refresh_token", "access_token"],
    ..AFTER
};
const REVOKE: Step = Step { names: &["client_id", "client_secret", "token", "access_token"], ..AFTER };
const OWN: Step = Step { names: &["client_id", "access_token"], ..AFTER };
const TOKEN_FORMAT: Step =
    Step { names: &["access_token"], callback: false, reply: false, lookups: Lookups::None };

/// Parameters of the authorization request on which its safety rests, or that could change all others (RFC 9101).
const RESERVED: [&str; 9] = [
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "iss",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "state",
];

pub(super) fn check(provider: &Provider, report: &mut Report) {
    let mut requests = Requests { provider, report };
    requests.authorization();
    requests.token();
    requests.refresh_and_revocation();
    requests.api();
    requests.reply();
}

struct Requests<'a> {
    provider: &'a Provider,
    report: &'a mut Report,
}

impl Requests<'_> {
    fn authorization(&mut self) {
        let Some(authorization) = &self.provider.authorization else { return };
        self.url_variables("authorization.url", Some(&authorization.url), START);
        for params in [&authorization.params, &authorization.switch_account_params] {
            self.params("authorization.params", params, START);
            for name in params.keys().filter(|name| RESERVED.contains(&name.as_str())) {
                let why = format!("{name} is set by the vault and no entry may change it");
                self.report.add(ProblemCode::Parameter, "authorization.params", why);
            }
        }
        for name in [&authorization.client_id_param, &authorization.scope_param, &authorization.code_param] {
            self.parameter_name("authorization", name);
        }
    }

    fn token(&mut self) {
        let token = &self.provider.token;
        self.url_variables("token.url", Some(&token.url), TOKEN);
        self.params("token.params", &token.params, TOKEN);
        self.headers("token.headers", &token.headers, TOKEN_HEADERS, true);
        for name in [&token.client_id_param, &token.client_secret_param, &token.code_param] {
            self.parameter_name("token", name);
        }
        self.client_auth("token.auth", &token.auth);
        if let Some(grant) = &token.grant {
            self.assertion("token.grant", grant);
        }
        if let Some(upgrade) = &token.upgrade {
            self.url_variables("token.upgrade.url", Some(&upgrade.url), UPGRADE);
            self.params("token.upgrade.params", &upgrade.params, UPGRADE);
        }
    }

    fn refresh_and_revocation(&mut self) {
        let refresh = &self.provider.refresh;
        self.url_variables("refresh.url", refresh.url.as_deref(), REFRESH);
        self.params("refresh.params", &refresh.params, REFRESH);
        if let Some(auth) = &refresh.auth {
            self.client_auth("refresh.auth", auth);
        }
        let Some(revocation) = &self.provider.revocation else { return };
        self.url_variables("revocation.url", Some(&revocation.url), REVOKE);
        self.headers("revocation.headers", &revocation.headers, REVOKE, true);
        if let Some(params) = &revocation.params {
            self.params("revocation.params", params, REVOKE);
        }
        if let RevocationAuth::Header { name, value } = &revocation.auth {
            self.headers("revocation.auth", &BTreeMap::from([(name.clone(), value.clone())]), REVOKE, true);
        }
        self.success("revocation.success", revocation.success.as_ref());
    }

    fn api(&mut self) {
        let api = &self.provider.api;
        for host in &api.hosts {
            self.url_variables("api.hosts", Some(host), Step { names: &[], ..AFTER });
        }
        self.url_variables("api.base_url", api.base_url.as_deref(), Step { names: &[], ..AFTER });
        let rule = InjectRule::new(Place::Header, &api.header, &api.format);
        match rule {
            Err(error) => self.report.add(ProblemCode::TokenHeader, "api.header", error.to_string()),
            Ok(rule) => {
                let only = rule.format().fields().eq(["access_token"]);
                let why = "the format names {access_token}, once, and nothing else";
                self.report.require(only, ProblemCode::TokenHeader, "api.format", why);
                self.template("api.format", &api.format, TOKEN_FORMAT);
            }
        }
        self.headers("api.headers", &api.headers, AFTER, false);
        let twice = api.headers.keys().any(|name| name.eq_ignore_ascii_case(&api.header));
        self.report.require(
            !twice,
            ProblemCode::Header,
            "api.headers",
            "the token's header is set a second time",
        );
        for (position, (at, request)) in own_requests(self.provider).into_iter().enumerate() {
            let lookups = if at == "account" { Lookups::All } else { Lookups::Before(position) };
            let step = Step { lookups, ..OWN };
            self.url_variables(&at, Some(&request.url), step);
            self.headers(&at, &request.headers, step, false);
            if let Some(value) = &request.authorization {
                self.template(&at, value, step);
            }
        }
    }

    fn reply(&mut self) {
        let reply = &self.provider.token.reply;
        for (name, paths) in [
            ("access_token", &reply.access_token),
            ("refresh_token", &reply.refresh_token),
            ("expires_in", &reply.expires_in),
            ("expires_at", &reply.expires_at),
            ("refresh_expires_in", &reply.refresh_expires_in),
            ("scope", &reply.scope),
            ("error", &reply.error),
            ("error_description", &reply.error_description),
        ] {
            let at = format!("token.reply.{name}");
            self.paths(&at, paths);
            if !["access_token", "refresh_token"].contains(&name) {
                self.no_token(&at, paths);
            }
        }
        self.no_token("token.reply.success", reply.success.as_ref().map(|flag| &flag.path));
        let found = !reply.access_token.is_empty();
        self.report.require(
            found,
            ProblemCode::Path,
            "token.reply.access_token",
            "it says nowhere where the token is",
        );
        self.success("token.reply.success", reply.success.as_ref());
        for (position, lookup) in self.provider.lookups.iter().enumerate() {
            let at = format!("lookups.{position}");
            self.paths(&at, &lookup.set.values().cloned().collect::<Vec<_>>());
            self.report.require(!lookup.set.is_empty(), ProblemCode::Lookup, &at, "it sets nothing");
            for name in lookup.set.keys() {
                let is_lookup =
                    |v: &crate::oauth::Variable| v.name == *name && v.source == VariableSource::Lookup;
                let known = self.provider.variables.iter().any(is_lookup);
                let why = format!("{name} is no variable whose source is a lookup");
                self.report.require(known, ProblemCode::Lookup, &at, &why);
            }
        }
        for variable in &self.provider.variables {
            if let VariableSource::Reply { path } = &variable.source {
                self.no_token(&format!("variables.{}", variable.name), [path]);
            }
        }
        if let Some(account) = &self.provider.account {
            for paths in [&account.identifier, &account.also, &account.display_name, &account.email] {
                self.paths("account", paths);
                self.no_token("account", paths);
            }
        }
    }

    /// What is read there is kept in clear and shown.
    fn no_token<'p>(&mut self, at: &str, paths: impl IntoIterator<Item = &'p String>) {
        let reply = &self.provider.token.reply;
        let id_token = ID_TOKEN.to_owned();
        for path in paths {
            let mut tokens = reply.access_token.iter().chain(&reply.refresh_token).chain([&id_token]);
            let leads_to = |token: &String| {
                token.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            if tokens.any(leads_to) {
                self.report.add(ProblemCode::Path, at, format!("{path:?} leads to a token"));
            }
        }
    }

    fn paths(&mut self, at: &str, paths: &[String]) {
        for path in paths {
            let why = format!("{path:?} is not dotted names");
            self.report.require(is_path(path), ProblemCode::Path, at, &why);
        }
    }

    fn success(&mut self, at: &str, flag: Option<&SuccessFlag>) {
        let Some(flag) = flag else { return };
        self.report.require(is_path(&flag.path), ProblemCode::Path, at, "the path is not dotted names");
        let scalar = flag.equals.is_boolean() || flag.equals.is_number() || flag.equals.is_string();
        self.report.require(
            scalar,
            ProblemCode::Path,
            at,
            "a success is told by a text, a number or a truth value",
        );
    }

    fn client_auth(&mut self, at: &str, auth: &ClientAuth) {
        match auth {
            ClientAuth::Post | ClientAuth::Basic | ClientAuth::None | ClientAuth::SecretAsUser => {}
            ClientAuth::PrivateKeyJwt(assertion) | ClientAuth::SecretJwt(assertion) => {
                self.assertion(at, assertion);
            }
        }
    }

    fn assertion(&mut self, at: &str, assertion: &Assertion) {
        for required in ["iss", "aud"] {
            let there = assertion.claims.contains_key(required);
            let why = format!("the claim {required} is missing (RFC 7523 section 3)");
            self.report.require(there, ProblemCode::Assertion, at, &why);
        }
        for (name, value) in &assertion.claims {
            let own = ["iat", "exp", "nbf"].contains(&name.as_str());
            self.report.require(
                !own,
                ProblemCode::Assertion,
                at,
                &format!("the claim {name} is made by the vault"),
            );
            self.report.require(
                is_parameter(name),
                ProblemCode::Assertion,
                at,
                "a claim's name is not usable",
            );
            self.template(at, value, CLAIMS);
        }
        if let Some(key_id) = &assertion.key_id {
            self.template(at, key_id, CLAIMS);
        }
        // The longest that a provider takes: half a year (Sign in with Apple).
        let lived = (10..=15_777_000).contains(&assertion.lifetime_seconds);
        self.report.require(lived, ProblemCode::Lifetime, at, "an assertion lives for 10 s to half a year");
    }

    fn params(&mut self, at: &str, params: &BTreeMap<String, String>, step: Step) {
        for (name, value) in params {
            self.parameter_name(at, name);
            self.template(at, value, step);
        }
    }

    fn parameter_name(&mut self, at: &str, name: &str) {
        let why = format!("{name:?} is not a parameter's name: 1 to 64 of A-Z, a-z, 0-9, . _ - [ ]");
        self.report.require(is_parameter(name), ProblemCode::Parameter, at, &why);
    }

    /// `secret`: `Authorization` may be among them, and values may hold secrets.
    fn headers(&mut self, at: &str, headers: &BTreeMap<String, String>, step: Step, secret: bool) {
        let mut names = BTreeSet::new();
        for (name, value) in headers {
            let lower = name.to_ascii_lowercase();
            let refused = !secret && lower == "authorization";
            self.report.require(!refused, ProblemCode::Header, at, "Authorization has a field of its own");
            self.report.require(
                names.insert(lower),
                ProblemCode::Header,
                at,
                &format!("{name} is set twice"),
            );
            // Filled in, as it will be: names and values are judged by the type that carries them.
            let sample = Template::parse(value).and_then(|template| template.render(|_| Some("a")));
            if let Ok(sample) = &sample
                && let Err(error) = DefaultHeaders::new([(name.as_str(), sample.as_str())])
            {
                self.report.add(ProblemCode::Header, at, error.to_string());
            }
            self.template(at, value, step);
        }
    }

    fn template(&mut self, at: &str, text: &str, step: Step) {
        match Template::parse(text) {
            Err(error) => self.report.add(ProblemCode::Template, at, error.to_string()),
            Ok(template) => template.names().for_each(|name| self.name(at, name, step)),
        }
    }

    /// [`super::address`] judges the rest of an address.
    fn url_variables(&mut self, at: &str, url: Option<&str>, step: Step) {
        let Some(Ok(template)) = url.map(Template::parse) else { return };
        for name in template.names().filter(|name| !STEP_NAMES.contains(name)) {
            self.name(at, name, step);
        }
        let text =
            |name: &str| self.provider.variables.iter().any(|v| v.name == name && v.shape == Shape::Text);
        if template.names().any(text) {
            self.report.add(ProblemCode::OpenAddress, at, "a text may not stand in an address");
        }
    }

    fn name(&mut self, at: &str, name: &str, step: Step) {
        if STEP_NAMES.contains(&name) {
            let why = format!("{{{name}}} is not known in this step");
            self.report.require(step.names.contains(&name), ProblemCode::Template, at, &why);
            return;
        }
        let Some(variable) = self.provider.variables.iter().find(|variable| variable.name == name) else {
            return self.report.add(
                ProblemCode::Template,
                at,
                format!("{{{name}}} is no variable of the entry"),
            );
        };
        let in_time = match &variable.source {
            VariableSource::Operator | VariableSource::User => true,
            VariableSource::Callback { .. } => step.callback,
            VariableSource::Reply { .. } => step.reply,
            VariableSource::Lookup => match step.lookups {
                Lookups::None => false,
                Lookups::All => true,
                Lookups::Before(position) => {
                    self.provider.lookups.iter().take(position).any(|lookup| lookup.set.contains_key(name))
                }
            },
        };
        let known = in_time || variable.default.is_some() || variable.optional;
        let why = format!("{{{name}}} has no value yet when this is needed");
        self.report.require(known, ProblemCode::Template, at, &why);
    }
}
