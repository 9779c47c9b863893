//! The body of an error answer (wire protocol sections 3.2 and 5).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What every error answer of the vault looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// The stable code; programs decide by it.
    pub error: String,
    /// For people. It may be reworded at any time.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Fields that belong to the code, such as `required` and `granted` of `insufficient_scope`.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}
