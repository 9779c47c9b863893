//! Text that passes over the wire once and must be seen nowhere else.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A credential's value on its way in, or a fresh key on its way out. It prints as `SecretText(…)` and is zeroed when
/// dropped; it serializes, because a client has to send it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretText(String);

impl SecretText {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: to show it once, or to send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Hands the text over without leaving a copy behind.
    pub fn into_inner(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_travels_but_is_not_printed() {
        let text: SecretText = serde_json::from_str("\"hunter2!\"").unwrap();
        assert_eq!(format!("{text:?}"), "SecretText(…)");
        assert_eq!(serde_json::to_string(&text).unwrap(), "\"hunter2!\"");
        assert_eq!(text.reveal(), "hunter2!");
        assert_eq!(text.into_inner(), "hunter2!");
    }
}
