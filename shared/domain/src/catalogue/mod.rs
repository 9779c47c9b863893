//! The catalogue of managed-secret templates: which fields a service's credential has, where they go, and to which
//! hosts. Data (`data/managed-secrets.json`), no code per service. And the catalogue of OAuth providers
//! (`data/oauth-providers.json`), which [`crate::oauth`] interprets.
//!
//! Who calls it: the portal, to offer a template and to turn what the operator typed into a credential and an
//! injection. The proxy never reads it: a stored secret carries its own rules. What it may touch: nothing.

mod document;
mod providers;
mod template;

#[cfg(test)]
mod provider_tests;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

pub use document::providers_markdown;
pub use providers::{provider, providers};
pub use template::{Category, Certainty, Evidence, Template, TemplateError, TemplateField, TestRequest};

static SOURCE: &str = include_str!("../../data/managed-secrets.json");

/// All templates, ordered by slug. Parsed when first asked for (about a millisecond), so that no start waits for it.
pub fn templates() -> &'static [Template] {
    static TEMPLATES: OnceLock<Vec<Template>> = OnceLock::new();
    TEMPLATES.get_or_init(|| {
        template::parse(SOURCE).unwrap_or_else(|error| {
            // A test parses the embedded file; without templates the operator can still write rules.
            tracing::error!(%error, "managed-secret catalogue is unreadable");
            Vec::new()
        })
    })
}

/// The template with this slug.
pub fn template(slug: &str) -> Option<&'static Template> {
    let all = templates();
    let position = all.binary_search_by(|template| template.slug.as_str().cmp(slug)).ok()?;
    all.get(position)
}
