//! Whether an entry is right: for the catalogue's test, for `alter provider check`, and for Custom OAuth, whose definitions
//! operators write and which are hostile input until they have passed.
//!
//! What decides where a secret goes is not judged by rules of its own: addresses are rendered by the engine's
//! [`Template`](super::Template) with a sample of every shape of value, and held against the egress rules, as at run time.

mod address;
mod behaviour;
mod request;
mod scopes;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::Provider;
use crate::egress::EgressRules;
use address::Addresses;

/// At most this many bytes in one definition, as JSON.
pub const MAX_DEFINITION_BYTES: usize = 64 * 1024;

/// At most this many problems are told.
pub const MAX_PROBLEMS: usize = 50;

/// One thing that is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{at}: {detail}")]
pub struct Problem {
    pub code: ProblemCode,
    /// Where in the entry, dotted: `authorization.url`.
    pub at: String,
    /// A sentence for people, without its full stop.
    pub detail: String,
}

/// Which rule is broken. Stable: scripts read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// Too many of something, or a text that is too long.
    TooLarge,
    /// The id is not lowercase letters, digits and single dashes.
    Id,
    /// A text for people is empty, has control characters, or is not written as its place demands.
    Text,
    /// A variable's name or source is not usable.
    Variable,
    /// A shape is empty or holds what it may not, or a default or example does not fit it.
    Shape,
    /// Not a URL, or one that the egress rules refuse (not https, a private address).
    Address,
    /// A variable stands in a host that it could lead elsewhere, or in an address where it may not.
    OpenAddress,
    /// A secret would stand in an address, which is logged on the way.
    SecretInAddress,
    /// A template is not readable, or uses what is not known where it stands.
    Template,
    /// An API host is no host pattern, or a public or shared suffix.
    ApiHost,
    /// A request of the vault's own, or the base URL, goes to a host that is not the provider's API or token host.
    Destination,
    /// A header that may not be set, is set twice, or has no legal value.
    Header,
    /// The token's header or its format.
    TokenHeader,
    /// A parameter's name, or one that the flow's safety rests on.
    Parameter,
    /// A path into a reply.
    Path,
    /// The flow and the parts that it needs do not agree.
    Flow,
    /// A public client without PKCE.
    Pkce,
    Issuer,
    Scopes,
    /// Refresh, rotation and grace contradict each other.
    Refresh,
    /// A lifetime out of bounds.
    Lifetime,
    Assertion,
    Revocation,
    Lookup,
    Account,
    /// The certainty is more than the evidence.
    Evidence,
}

/// Everything that is wrong; empty for an entry that is right. `rules` are those of the deployment: in local mode loopback may
/// stand in an entry, over http too.
pub fn check(provider: &Provider, rules: EgressRules) -> Vec<Problem> {
    let mut report = Report::default();
    // First, so that nothing below works on masses.
    if serde_json::to_vec(provider).map_or(true, |json| json.len() > MAX_DEFINITION_BYTES) {
        report.add(ProblemCode::TooLarge, "", format!("it has more than {MAX_DEFINITION_BYTES} bytes"));
        return report.0;
    }
    let before = report.0.len();
    behaviour::sizes(provider, &mut report);
    if report.0.len() > before {
        return report.0;
    }
    behaviour::labels(provider, &mut report);
    address::variables(provider, &mut report);
    let addresses = Addresses::new(provider, rules);
    addresses.check(&mut report);
    request::check(provider, &mut report);
    scopes::check(provider, &mut report);
    behaviour::check(provider, &mut report);
    report.0.truncate(MAX_PROBLEMS);
    report.0
}

#[derive(Default)]
struct Report(Vec<Problem>);

impl Report {
    fn add(&mut self, code: ProblemCode, at: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Problem { code, at: at.into(), detail: detail.into() });
    }

    fn require(&mut self, holds: bool, code: ProblemCode, at: &str, detail: &str) {
        if !holds {
            self.add(code, at, detail);
        }
    }
}

/// Printable, not blank, at most so many characters.
fn is_label(text: &str, max_chars: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= max_chars && !text.chars().any(char::is_control)
}
