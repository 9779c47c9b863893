//! Which claims of a token say who the user is, and reading them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why a name of a claim is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a claim has 1 to {MAX_NAME_CHARS} characters, and no control characters")]
pub struct ClaimNameError;

/// The claims that an identity provider's tokens carry the user in. A name is the claim's exact name, also one that is a URL
/// (`https://example.com/groups`, as Auth0 wants them); where no claim has that name, dots lead into objects
/// (`realm_access.roles`, as Keycloak nests them).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
#[non_exhaustive]
pub struct ClaimNames {
    pub user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<String>,
}

impl ClaimNames {
    pub fn new(
        user_id: String,
        groups: Option<String>,
        roles: Option<String>,
    ) -> Result<Self, ClaimNameError> {
        for name in [Some(&user_id), groups.as_ref(), roles.as_ref()].into_iter().flatten() {
            let chars = name.chars().count();
            if chars == 0 || chars > MAX_NAME_CHARS || name.chars().any(char::is_control) {
                return Err(ClaimNameError);
            }
        }
        Ok(Self { user_id, groups, roles })
    }

    /// Names that stand in the code.
    pub(super) fn known(user_id: &str, groups: Option<&str>, roles: Option<&str>) -> Self {
        Self {
            user_id: user_id.to_owned(),
            groups: groups.map(str::to_owned),
            roles: roles.map(str::to_owned),
        }
    }
}

/// `sub` alone: what every OpenID provider has.
impl Default for ClaimNames {
    fn default() -> Self {
        Self::known("sub", None, None)
    }
}

const MAX_NAME_CHARS: usize = 256;

#[derive(Deserialize)]
struct Unchecked {
    user_id: String,
    groups: Option<String>,
    roles: Option<String>,
}

impl TryFrom<Unchecked> for ClaimNames {
    type Error = ClaimNameError;

    fn try_from(names: Unchecked) -> Result<Self, ClaimNameError> {
        Self::new(names.user_id, names.groups, names.roles)
    }
}

/// A claim by its name, or by its path. `null` is no claim.
pub(super) fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = match claims.get(name) {
        Some(value) => value,
        None => {
            let (first, rest) = name.split_once('.')?;
            let inner = claims.get(first)?;
            rest.split('.').try_fold(inner, |value, name| value.as_object()?.get(name))?
        }
    };
    (!found.is_null()).then_some(found)
}

/// A text that can be somebody's identifier. A number is none: `7` and `"7"` would be one user or two, depending on the reader.
pub(super) fn identifier(value: Option<&Value>) -> Option<&str> {
    let text = value?.as_str()?;
    let valid = !text.is_empty() && text.len() <= MAX_IDENTIFIER_BYTES && !text.contains(char::is_control);
    valid.then_some(text)
}

/// OpenID Connect bounds `sub` at 255 ASCII characters; other claims get some more room.
const MAX_IDENTIFIER_BYTES: usize = 1024;

/// A text of the user's profile that can be shown, or nothing: a name that nobody can show keeps nobody out.
pub(crate) fn display(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    let valid =
        !text.is_empty() && text.chars().count() <= MAX_DISPLAY_CHARS && !text.contains(char::is_control);
    valid.then(|| text.to_owned())
}

/// An e-mail address has at most 254 (RFC 5321); names are cut by nobody at fewer.
const MAX_DISPLAY_CHARS: usize = 320;

/// A claim with names of groups or roles: a list of texts; one text (Clerk's `org_role`, WorkOS' `org_id`); or an object whose
/// members are the names (Keycloak's `organization`). `Err` for anything else: half-read membership is a wrong membership.
/// Sorted, each once.
pub(super) fn names(value: &Value) -> Result<Vec<String>, ()> {
    let mut names = match value {
        Value::String(name) => vec![name.clone()],
        Value::Array(list) => list
            .iter()
            .map(|name| name.as_str().map(str::to_owned).ok_or(()))
            .collect::<Result<Vec<_>, _>>()?,
        Value::Object(object) => object.keys().cloned().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return Err(()),
    };
    names.retain(|name| !name.is_empty());
    let valid = |name: &String| name.len() <= MAX_IDENTIFIER_BYTES && !name.contains(char::is_control);
    if !names.iter().all(valid) {
        return Err(());
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Seconds since 1970 (RFC 7519 section 2: a JSON number, with or without a fraction, which is cut off).
#[allow(clippy::cast_possible_truncation, reason = "`as` ends at i64's ends, which is far enough")]
pub(super) fn numeric_date(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64))
}

/// `aud`: one text or a list of them (RFC 7519 section 4.1.3). Absent is empty (session tokens of Clerk have none), anything
/// else is `None`.
pub(super) fn audience(value: Option<&Value>) -> Option<Vec<String>> {
    match value {
        None => Some(Vec::new()),
        Some(Value::String(one)) => Some(vec![one.clone()]),
        Some(Value::Array(list)) => list.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        Some(_) => None,
    }
}
