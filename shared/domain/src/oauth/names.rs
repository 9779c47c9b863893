//! What the templates of one request may name, and the parameters of that request.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{Bound, Client, EngineError, Provider, Template, TemplateError, Values};
use crate::secret::Secret;

/// The names that steps provide beside the entry's variables. No variable may be called so.
pub const STEP_NAMES: [&str; 12] = [
    "client_id",
    "client_secret",
    "redirect_uri",
    "code",
    "code_verifier",
    "scope",
    "access_token",
    "refresh_token",
    "token",
    // The grant of `flow: jwt_bearer`, for a header.
    "assertion",
    // In the claims of an assertion.
    "jti",
    "state",
];

/// Names and values for one request. Secrets are copied, wiped at the end, and looked for in what the provider says.
pub(super) struct Names<'a> {
    pub(super) provider: &'a Provider,
    values: &'a Values,
    public: Vec<(&'static str, String)>,
    secret: Vec<(&'static str, Zeroizing<String>)>,
}

impl<'a> Names<'a> {
    /// With the client's own: `client_id`, `redirect_uri`, and `client_secret` where there is one.
    pub(super) fn new(provider: &'a Provider, values: &'a Values, client: &Client<'_>) -> Self {
        let mut names = Self { provider, values, public: Vec::new(), secret: Vec::new() };
        names.public("client_id", client.client_id);
        names.public("redirect_uri", client.redirect_uri);
        if let Some(secret) = client.field("client_secret") {
            names.secret("client_secret", secret);
        }
        names
    }

    /// Without a client: for what goes by the entry's variables alone.
    pub(super) fn of_variables(provider: &'a Provider, values: &'a Values) -> Self {
        Self { provider, values, public: Vec::new(), secret: Vec::new() }
    }

    pub(super) fn public(&mut self, name: &'static str, value: &str) {
        self.public.push((name, value.to_owned()));
    }

    pub(super) fn secret(&mut self, name: &'static str, value: &Secret<String>) {
        self.secret_text(name, value.expose_secret());
    }

    /// In place of what had the name.
    pub(super) fn secret_text(&mut self, name: &'static str, value: &str) {
        self.secret.retain(|(known, _)| *known != name);
        self.secret.push((name, Zeroizing::new(value.to_owned())));
    }

    /// A secret without a name: templates cannot use it, but it is looked for.
    pub(super) fn hide(&mut self, value: &str) {
        self.secret.push(("", Zeroizing::new(value.to_owned())));
    }

    /// The value of a secret that the step provides.
    pub(super) fn get_secret(&self, name: &str) -> Option<&str> {
        self.secret.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// All secrets that this request may carry.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secret.iter().map(|(_, value)| value.as_str())
    }

    pub(super) fn bound(&self, name: &str) -> Result<Bound<'_>, TemplateError> {
        if let Some(value) = self.get_secret(name) {
            return Ok(Bound::Given(value));
        }
        if let Some((_, value)) = self.public.iter().find(|(known, _)| *known == name) {
            return Ok(Bound::Given(value));
        }
        if STEP_NAMES.contains(&name) {
            return Err(TemplateError::NotHere(name.to_owned()));
        }
        self.values.bound(self.provider, name)
    }

    pub(super) fn text(&self, template: &str) -> Result<Zeroizing<String>, TemplateError> {
        Template::parse(template)?.text(&|name| self.bound(name)).map(Zeroizing::new)
    }

    pub(super) fn url(&self, template: &str) -> Result<Zeroizing<String>, TemplateError> {
        Template::parse(template)?.url(&|name| self.bound(name)).map(Zeroizing::new)
    }

    pub(super) fn host(&self, template: &str) -> Result<String, TemplateError> {
        Template::parse(template)?.host(&|name| self.bound(name))
    }
}

/// Parameters of a request in the order in which they came.
#[derive(Default)]
pub(super) struct Params(Vec<(String, Zeroizing<String>)>);

impl Params {
    /// Adds, or puts in the place of the one with that name; an empty value takes it away.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.0.retain(|(known, _)| known != name);
        } else if let Some((_, old)) = self.0.iter_mut().find(|(known, _)| known == name) {
            *old = Zeroizing::new(value.to_owned());
        } else {
            self.0.push((name.to_owned(), Zeroizing::new(value.to_owned())));
        }
    }

    /// The entry's templates on top.
    pub(super) fn apply(
        &mut self,
        templates: &BTreeMap<String, String>,
        names: &Names<'_>,
    ) -> Result<(), EngineError> {
        for (name, template) in templates {
            match names.text(template) {
                Ok(value) => self.set(name, &value),
                Err(TemplateError::Absent(_)) => self.set(name, ""),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The same for templates that serve several steps: one that names what this step does not provide is left out.
    pub(super) fn apply_what_fits(
        &mut self,
        templates: &BTreeMap<String, String>,
        names: &Names<'_>,
    ) -> Result<(), EngineError> {
        for (name, template) in templates {
            match names.text(template) {
                Ok(value) => self.set(name, &value),
                Err(TemplateError::Absent(_)) => self.set(name, ""),
                Err(TemplateError::NotHere(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
