//! The catalogue of OAuth providers: `data/oauth-providers.json`.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::oauth::Provider;

pub(super) static SOURCE: &str = include_str!("../../data/oauth-providers.json");

/// All providers, ordered by id. Parsed when first asked for (a few milliseconds), so that no start waits for it.
pub fn providers() -> &'static [Provider] {
    static PROVIDERS: OnceLock<Vec<Provider>> = OnceLock::new();
    PROVIDERS.get_or_init(|| {
        parse(SOURCE).unwrap_or_else(|error| {
            // A test parses the embedded file; without the catalogue there is still Custom OAuth.
            tracing::error!(%error, "catalogue of OAuth providers is unreadable");
            Vec::new()
        })
    })
}

/// The provider with this id.
pub fn provider(id: &str) -> Option<&'static Provider> {
    let all = providers();
    let position = all.binary_search_by(|provider| provider.id.as_str().cmp(id)).ok()?;
    all.get(position)
}

/// Why the data file is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParseError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("ids are not unique and sorted")]
    Order,
}

/// Reads the data file, and makes sure of what lookups rest on. [`crate::oauth::check`] says whether an entry is right.
pub(super) fn parse(source: &str) -> Result<Vec<Provider>, ParseError> {
    #[derive(Deserialize)]
    struct File {
        providers: Vec<Provider>,
    }
    let file: File = serde_json::from_str(source)?;
    if !file.providers.is_sorted_by(|a, b| a.id < b.id) {
        return Err(ParseError::Order);
    }
    Ok(file.providers)
}
