//! Variables, and every address of an entry rendered with samples of their values.

use std::collections::{BTreeMap, BTreeSet};

use super::{ProblemCode, Report, is_label};
use crate::{
    egress::{AllowedHosts, EgressRules, HostPattern, Target},
    oauth::{
        AccountSource, Bound, OwnRequest, Provider, STEP_NAMES, Shape, Template, TemplateError, Variable,
        VariableSource,
    },
};

/// Suffixes below which anybody gets a host: a wildcard there would send tokens to strangers.
const SHARED_SUFFIXES: [&str; 20] = [
    "amazonaws.com",
    "appspot.com",
    "azurewebsites.net",
    "blogspot.com",
    "cloudfront.net",
    "firebaseapp.com",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "herokuapp.com",
    "ngrok.app",
    "ngrok.io",
    "netlify.app",
    "onrender.com",
    "pages.dev",
    "run.app",
    "vercel.app",
    "web.app",
    "windows.net",
    "workers.dev",
];

/// What is wrong with the variables themselves.
pub(super) fn variables(provider: &Provider, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for variable in &provider.variables {
        let at = format!("variables.{}", variable.name);
        let name = &variable.name;
        let legal = (1..=32).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        report.require(
            legal,
            ProblemCode::Variable,
            &at,
            "a name has 1 to 32 of a-z, 0-9 and _, a letter first",
        );
        report.require(
            !STEP_NAMES.contains(&name.as_str()),
            ProblemCode::Variable,
            &at,
            "the name is one that steps provide themselves",
        );
        report.require(seen.insert(name), ProblemCode::Variable, &at, "the name is there twice");
        report.require(
            is_label(&variable.label, 100),
            ProblemCode::Text,
            &at,
            "the label has 1 to 100 characters",
        );
        source(provider, variable, &at, report);
        shape(&variable.shape, &at, report);
        for (what, value) in [("default", &variable.default), ("example", &variable.example)] {
            let fits =
                value.as_deref().is_none_or(|value| variable.shape.accept(value).as_deref() == Some(value));
            report.require(
                fits,
                ProblemCode::Shape,
                &at,
                &format!("the {what} does not have the variable's shape"),
            );
        }
        report.require(
            !(variable.optional && variable.default.is_some()),
            ProblemCode::Variable,
            &at,
            "what has a default is never missing: it cannot be optional",
        );
    }
}

fn source(provider: &Provider, variable: &Variable, at: &str, report: &mut Report) {
    match &variable.source {
        VariableSource::Operator | VariableSource::User => {}
        VariableSource::Callback { param } => {
            let taken = ["code", "state", "iss", "error", "error_description", "error_uri"];
            let legal = is_parameter(param) && !taken.contains(&param.as_str());
            report.require(
                legal,
                ProblemCode::Parameter,
                at,
                "the redirect's parameter has no name that can be used",
            );
        }
        VariableSource::Reply { path } => {
            report.require(
                is_path(path),
                ProblemCode::Path,
                at,
                "the path into the reply is not dotted names",
            );
        }
        VariableSource::Lookup => {
            let set = provider.lookups.iter().any(|lookup| lookup.set.contains_key(&variable.name));
            report.require(set, ProblemCode::Lookup, at, "no lookup sets it");
        }
    }
}

fn shape(shape: &Shape, at: &str, report: &mut Report) {
    match shape {
        Shape::DnsLabel | Shape::Digits | Shape::Word | Shape::Path | Shape::Text => {}
        Shape::OneOf(values) => {
            let legal = !values.is_empty()
                && values.iter().all(|value| is_label(value, 200) && value.trim() == value);
            report.require(legal, ProblemCode::Shape, at, "a choice needs values of 1 to 200 characters");
        }
        Shape::Host(patterns) => {
            report.require(!patterns.is_empty(), ProblemCode::Shape, at, "a host needs patterns");
            for pattern in patterns {
                if let Err(why) = host_pattern(pattern, EgressRules::default()) {
                    report.add(ProblemCode::Shape, at, format!("host pattern {pattern:?}: {why}"));
                }
            }
        }
    }
}

/// The variables' values for one try.
type Sample<'p> = BTreeMap<&'p str, (String, &'p Shape)>;

/// The addresses of an entry.
pub(super) struct Addresses<'p> {
    provider: &'p Provider,
    rules: EgressRules,
    samples: Vec<Sample<'p>>,
}

impl<'p> Addresses<'p> {
    pub(super) fn new(provider: &'p Provider, rules: EgressRules) -> Self {
        let all: Vec<(&str, &Shape, Vec<String>)> =
            provider.variables.iter().map(|v| (v.name.as_str(), &v.shape, sample_values(&v.shape))).collect();
        let first = |values: &Vec<String>| values.first().cloned().unwrap_or_default();
        let base: Sample<'p> =
            all.iter().map(|(name, shape, values)| (*name, (first(values), *shape))).collect();
        let mut samples = vec![base.clone()];
        for (name, shape, values) in &all {
            for value in values.iter().skip(1) {
                let mut sample = base.clone();
                sample.insert(name, (value.clone(), shape));
                samples.push(sample);
            }
        }
        Self { provider, rules, samples }
    }

    pub(super) fn check(&self, report: &mut Report) {
        let provider = self.provider;
        let (page, fragment) = provider.docs_url.split_once('#').unwrap_or((&provider.docs_url, ""));
        if let Err(error) = Target::parse(page, &self.rules) {
            report.add(ProblemCode::Address, "docs_url", error.to_string());
        }
        let plain = fragment.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>".contains(&b));
        report.require(plain, ProblemCode::Address, "docs_url", "its fragment is not printable ASCII");
        for (at, url) in self.urls() {
            self.url(&at, url, report);
        }
        if let Some(issuer) = provider.authorization.as_ref().and_then(|a| a.issuer.as_deref()) {
            self.url("authorization.issuer", issuer, report);
            let fit = !issuer.contains(['?', '#']) && !issuer.contains("{client_id}");
            report.require(
                fit,
                ProblemCode::Issuer,
                "authorization.issuer",
                "an issuer has no query (RFC 9207 section 2)",
            );
        }
        let mut api = Vec::new();
        for sample in &self.samples {
            api.push(self.api_hosts(sample, report));
        }
        for (sample, hosts) in self.samples.iter().zip(&api) {
            self.destinations(sample, hosts, report);
        }
        report.0.dedup();
    }

    /// With one value instead of the samples.
    #[cfg(test)]
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let mut sample = self.samples.first().cloned().unwrap_or_default();
        if let Some((old, _)) = sample.get_mut(name) {
            value.clone_into(old);
        }
        Self { provider: self.provider, rules: self.rules, samples: vec![sample] }
    }

    /// Where the URLs and the API hosts lead.
    #[cfg(test)]
    pub(super) fn all_hosts(&self) -> Vec<String> {
        let mut hosts = Vec::new();
        for sample in &self.samples {
            let lookup = |name: &str| bound(sample, name);
            let urls =
                self.urls().into_iter().filter_map(|(_, url)| Template::parse(url).ok()?.url(&lookup).ok());
            hosts.extend(urls.filter_map(|url| Some(url::Url::parse(&url).ok()?.host_str()?.to_owned())));
            let api = self.provider.api.hosts.iter();
            hosts.extend(api.filter_map(|host| Template::parse(host).ok()?.host(&lookup).ok()));
        }
        hosts
    }

    /// Every URL that the vault or the browser goes to.
    fn urls(&self) -> Vec<(String, &'p str)> {
        let p = self.provider;
        let mut urls = vec![("token.url".to_owned(), p.token.url.as_str())];
        let mut add = |at: String, url: Option<&'p str>| urls.extend(url.map(|url| (at, url)));
        add("authorization.url".into(), p.authorization.as_ref().map(|a| a.url.as_str()));
        add("token.upgrade.url".into(), p.token.upgrade.as_ref().map(|u| u.url.as_str()));
        add("refresh.url".into(), p.refresh.url.as_deref());
        add("revocation.url".into(), p.revocation.as_ref().map(|r| r.url.as_str()));
        add("api.base_url".into(), p.api.base_url.as_deref());
        for (at, request) in own_requests(p) {
            add(format!("{at}.url"), Some(&request.url));
        }
        urls
    }

    fn url(&self, at: &str, url: &str, report: &mut Report) {
        let template = match Template::parse(url) {
            Ok(template) => template,
            Err(error) => return report.add(ProblemCode::Template, at, error.to_string()),
        };
        for name in template.names() {
            if STEP_NAMES.contains(&name) && name != "client_id" {
                return report.add(
                    ProblemCode::SecretInAddress,
                    at,
                    format!("{{{name}}} may not stand in an address"),
                );
            }
            if self.provider.variables.iter().any(|v| v.name == name && v.optional) {
                return report.add(
                    ProblemCode::OpenAddress,
                    at,
                    format!("{{{name}}} is optional: an address needs it"),
                );
            }
        }
        for sample in &self.samples {
            match template.url(&|name| bound(sample, name)) {
                Err(error) => return report.add(code_of(&error), at, error.to_string()),
                Ok(url) => {
                    if let Err(error) = Target::parse(&url, &self.rules) {
                        return report.add(ProblemCode::Address, at, error.to_string());
                    }
                }
            }
        }
    }

    fn api_hosts(&self, sample: &Sample<'p>, report: &mut Report) -> AllowedHosts {
        let mut hosts = AllowedHosts::default();
        for text in &self.provider.api.hosts {
            let rendered =
                Template::parse(text).and_then(|template| template.host(&|name| bound(sample, name)));
            let host = match rendered {
                Ok(host) => host,
                Err(error) => {
                    report.add(code_of(&error), "api.hosts", error.to_string());
                    continue;
                }
            };
            match host_pattern(&host, self.rules) {
                Ok(pattern) => hosts.0.push(pattern),
                Err(why) => report.add(ProblemCode::ApiHost, "api.hosts", format!("{text:?}: {why}")),
            }
        }
        hosts
    }

    /// The base URL and the vault's own requests stay with the provider.
    fn destinations(&self, sample: &Sample<'p>, api: &AllowedHosts, report: &mut Report) {
        let target = |url: &str| {
            let url = Template::parse(url).ok()?.url(&|name| bound(sample, name)).ok()?;
            Target::parse(&url, &self.rules).ok()
        };
        let token = target(&self.provider.token.url);
        if let Some(base) = self.provider.api.base_url.as_deref().and_then(target)
            && !api.allows(&base)
        {
            report.add(ProblemCode::Destination, "api.base_url", "its host is not among `api.hosts`");
        }
        for (at, request) in own_requests(self.provider) {
            let Some(own) = target(&request.url) else { continue };
            let of_token = token
                .as_ref()
                .is_some_and(|token| (token.host(), token.url().port()) == (own.host(), own.url().port()));
            if !of_token && !api.allows(&own) {
                let why = "it would carry the token to a host that is neither among `api.hosts` nor the token endpoint's";
                report.add(ProblemCode::Destination, at, why);
            }
        }
    }
}

/// Lookups, and the account's request.
pub(super) fn own_requests(provider: &Provider) -> Vec<(String, &OwnRequest)> {
    let mut requests: Vec<_> = provider
        .lookups
        .iter()
        .enumerate()
        .map(|(n, lookup)| (format!("lookups.{n}"), &lookup.request))
        .collect();
    if let Some(AccountSource::Request(request)) = provider.account.as_ref().map(|account| &account.source) {
        requests.push(("account".to_owned(), request));
    }
    requests
}

/// Dotted names and numbers.
pub(super) fn is_path(path: &str) -> bool {
    path.len() <= 100
        && path.split('.').all(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()))
}

/// What stands before `=` in a query or form without being encoded.
pub(super) fn is_parameter(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'[' | b']'))
}

fn bound<'a>(sample: &'a Sample<'_>, name: &str) -> Result<Bound<'a>, TemplateError> {
    if name == "client_id" {
        return Ok(Bound::Given("client"));
    }
    match sample.get(name) {
        Some((value, shape)) => Ok(Bound::Variable { value, shape }),
        None => Err(TemplateError::Unknown(name.to_owned())),
    }
}

fn code_of(error: &TemplateError) -> ProblemCode {
    match error {
        TemplateError::Syntax
        | TemplateError::Unknown(_)
        | TemplateError::NotHere(_)
        | TemplateError::Missing(_)
        | TemplateError::Absent(_) => ProblemCode::Template,
        TemplateError::InHost(_)
        | TemplateError::InUrl(_)
        | TemplateError::OpenHost
        | TemplateError::Shape(_) => ProblemCode::OpenAddress,
        TemplateError::NotAUrl | TemplateError::DotSegment => ProblemCode::Address,
    }
}

fn sample_values(shape: &Shape) -> Vec<String> {
    match shape {
        Shape::DnsLabel | Shape::Word | Shape::Text => vec!["a".to_owned()],
        Shape::Digits => vec!["1".to_owned()],
        Shape::Path => vec!["a/b".to_owned()],
        Shape::OneOf(values) => values.clone(),
        Shape::Host(patterns) => patterns.iter().map(|pattern| any_host(pattern)).collect(),
    }
}

fn any_host(pattern: &str) -> String {
    pattern.strip_prefix("*.").map_or_else(|| pattern.to_owned(), |suffix| format!("a.{suffix}"))
}

/// A pattern of public hosts, or of loopback where the rules permit it.
fn host_pattern(text: &str, rules: EgressRules) -> Result<HostPattern, String> {
    let pattern: HostPattern = text.parse().map_err(|error| format!("{error}"))?;
    let canonical = pattern.to_string();
    if let Some(suffix) = canonical.strip_prefix("*.")
        && let Some(shared) = SHARED_SUFFIXES.iter().find(|shared| suffix == **shared)
    {
        return Err(format!("anybody can have a host below {shared}"));
    }
    let host = any_host(&canonical);
    let loopback = rules.allow_loopback_http
        && Target::parse(&format!("http://{}/", host.replace(":*", "")), &rules).is_ok();
    if host.ends_with(":*") && !loopback {
        return Err("a port must be named".to_owned());
    }
    Target::parse(&format!("https://{}/", host.replace(":*", "")), &rules)
        .map_err(|error| error.to_string())?;
    Ok(pattern)
}
