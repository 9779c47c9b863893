//! The values of one credential, by field name.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// At most this many fields in one credential.
pub const MAX_FIELDS: usize = 10;
/// At most this many bytes in one value: what common servers accept as one header line.
pub const MAX_VALUE_BYTES: usize = 8192;
/// A secret value has at least this many bytes. Replies are scanned for it: a shorter one would be found by accident in
/// innocent replies and could be guessed anyway.
pub const MIN_SECRET_BYTES: usize = 8;

/// The format of [`CredentialFields::to_plaintext`].
const PLAINTEXT_VERSION: u8 = 1;

/// Why a set of fields is not a credential. Names fields, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    #[error("a credential has 1 to {MAX_FIELDS} fields")]
    Count,
    #[error("field name {0:?} must be 1 to 32 of a-z, 0-9 and _, and begin with a letter")]
    Name(String),
    #[error("field {0} is given twice")]
    Duplicate(String),
    #[error("the value of field {0} must have 1 to {MAX_VALUE_BYTES} bytes")]
    Length(String),
    #[error("the value of field {0} contains a control character or a line break")]
    Control(String),
    #[error(
        "the secret value of field {0} must have at least {MIN_SECRET_BYTES} bytes: replies are scanned for it, and a \
         shorter one would be found in innocent replies"
    )]
    TooShort(String),
    #[error("a credential has at least one secret field")]
    NothingSecret,
    /// The sealed plaintext is not one that [`CredentialFields::to_plaintext`] wrote.
    #[error("stored credential cannot be read")]
    Unreadable,
}

/// Field names and values in the order given, checked: well-formed names, no control characters, no short secret.
///
/// Not every field is secret (a user name, an access key id); only the secret ones are looked for in replies.
#[derive(Debug, Clone)]
pub struct CredentialFields(Vec<Field>);

#[derive(Debug, Clone)]
struct Field {
    name: String,
    value: Secret<String>,
    secret: bool,
}

/// One stored field: name, value, is it secret.
#[derive(Serialize)]
struct StoredField<'a>(&'a str, &'a str, bool);

#[derive(Serialize)]
struct Stored<'a> {
    v: u8,
    f: Vec<StoredField<'a>>,
}

#[derive(Deserialize)]
struct Loaded {
    v: u8,
    f: Vec<(String, String, bool)>,
}

impl CredentialFields {
    /// Takes pairs of field name and value; the fields named in `public` are not secret (see
    /// [`CredentialType::public_fields`](super::CredentialType::public_fields)), all others are.
    pub fn from_pairs<N: Into<String>>(
        pairs: impl IntoIterator<Item = (N, Secret<String>)>,
        public: &[&str],
    ) -> Result<Self, FieldsError> {
        let fields = pairs.into_iter().map(|(name, value)| {
            let name = name.into();
            let secret = !public.contains(&name.as_str());
            Field { name, value, secret }
        });
        Self::checked(fields.collect())
    }

    pub fn get(&self, name: &str) -> Option<&Secret<String>> {
        self.0.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// All field names, in the order given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|field| field.name.as_str())
    }

    /// The values that must never be seen in a reply.
    pub fn secret_values(&self) -> impl Iterator<Item = &Secret<String>> {
        self.0.iter().filter(|field| field.secret).map(|field| &field.value)
    }

    /// The bytes to seal: compact JSON with a format version. Not `Serialize`, so that no other serializer meets the
    /// values by accident.
    pub fn to_plaintext(&self) -> Result<Secret<Vec<u8>>, FieldsError> {
        let f: Vec<_> =
            self.0.iter().map(|f| StoredField(&f.name, f.value.expose_secret(), f.secret)).collect();
        // Escaping can double a value's length; the buffer must not grow, because growing leaves copies behind.
        let size: usize =
            self.0.iter().map(|f| 2 * (f.name.len() + f.value.expose_secret().len()) + 16).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(size + 16));
        serde_json::to_writer(&mut *bytes, &Stored { v: PLAINTEXT_VERSION, f })
            .map_err(|_| FieldsError::Unreadable)?;
        Ok(Secret::new(std::mem::take(&mut *bytes)))
    }

    /// Reads what [`Self::to_plaintext`] wrote, with all checks. The caller owns and clears `plaintext`.
    pub fn from_plaintext(plaintext: &[u8]) -> Result<Self, FieldsError> {
        // An error of serde_json may quote the input: it is dropped, not wrapped.
        let loaded: Loaded = serde_json::from_slice(plaintext).map_err(|_| FieldsError::Unreadable)?;
        let fields: Vec<_> = loaded
            .f
            .into_iter()
            .map(|(name, value, secret)| Field { name, value: Secret::new(value), secret })
            .collect();
        if loaded.v != PLAINTEXT_VERSION {
            return Err(FieldsError::Unreadable);
        }
        Self::checked(fields)
    }

    fn checked(fields: Vec<Field>) -> Result<Self, FieldsError> {
        if fields.is_empty() || fields.len() > MAX_FIELDS {
            return Err(FieldsError::Count);
        }
        for (position, field) in fields.iter().enumerate() {
            if !is_field_name(&field.name) {
                let mut shown = field.name.clone();
                truncate(&mut shown, 64);
                return Err(FieldsError::Name(shown));
            }
            if fields.iter().take(position).any(|earlier| earlier.name == field.name) {
                return Err(FieldsError::Duplicate(field.name.clone()));
            }
            let value = field.value.expose_secret();
            if value.is_empty() || value.len() > MAX_VALUE_BYTES {
                return Err(FieldsError::Length(field.name.clone()));
            }
            if value.chars().any(char::is_control) {
                return Err(FieldsError::Control(field.name.clone()));
            }
            if field.secret && value.len() < MIN_SECRET_BYTES {
                return Err(FieldsError::TooShort(field.name.clone()));
            }
        }
        if !fields.iter().any(|field| field.secret) {
            return Err(FieldsError::NothingSecret);
        }
        Ok(Self(fields))
    }
}

/// `[a-z][a-z0-9_]{0,31}`.
pub(crate) fn is_field_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Cuts at a character boundary; a caller may have sent the value in the place of the name.
fn truncate(text: &mut String, max: usize) {
    if let Some((end, _)) = text.char_indices().nth(max) {
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(list: &[(&str, &str)], public: &[&str]) -> Result<CredentialFields, FieldsError> {
        let list = list.iter().map(|(n, v)| (*n, Secret::new((*v).to_owned())));
        CredentialFields::from_pairs(list, public)
    }

    #[test]
    fn keeps_order_and_tells_secret_from_public() {
        let fields = pairs(&[("username", "ada"), ("password", "correct horse")], &["username"]).unwrap();
        assert_eq!(fields.names().collect::<Vec<_>>(), ["username", "password"]);
        assert_eq!(fields.get("username").unwrap().expose_secret(), "ada");
        assert!(fields.get("nope").is_none());
        let secret: Vec<_> = fields.secret_values().map(|s| s.expose_secret().as_str()).collect();
        assert_eq!(secret, ["correct horse"]);
    }

    #[test]
    fn refuses_what_is_not_a_credential() {
        let long = "x".repeat(MAX_VALUE_BYTES + 1);
        let eleven: Vec<_> =
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"].map(|n| (n, "12345678")).to_vec();
        let cases: &[(&[(&str, &str)], FieldsError)] = &[
            (&[], FieldsError::Count),
            (&eleven, FieldsError::Count),
            (&[("Token", "12345678")], FieldsError::Name("Token".into())),
            (&[("", "12345678")], FieldsError::Name(String::new())),
            (&[("9a", "12345678")], FieldsError::Name("9a".into())),
            (&[("a", "12345678"), ("a", "12345678")], FieldsError::Duplicate("a".into())),
            (&[("a", "")], FieldsError::Length("a".into())),
            (&[("a", &long)], FieldsError::Length("a".into())),
            (&[("a", "12345678\n")], FieldsError::Control("a".into())),
            (&[("a", "1234\r5678")], FieldsError::Control("a".into())),
            (&[("a", "1234\x005678")], FieldsError::Control("a".into())),
            (&[("a", "1234567")], FieldsError::TooShort("a".into())),
            (&[("p", "1234")], FieldsError::NothingSecret),
        ];
        for (list, expected) in cases {
            assert_eq!(pairs(list, &["p"]).unwrap_err(), *expected, "{list:?}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_a_value_given_as_a_name() {
        let secret = "S".repeat(500);
        assert!(pairs(&[(&secret, "12345678")], &[]).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn plaintext_has_a_version_and_nothing_superfluous() {
        let fields = pairs(&[("user", "a\"b"), ("pass", "pä55 word")], &["user"]).unwrap();
        let plaintext = fields.to_plaintext().unwrap();
        let text = std::str::from_utf8(plaintext.expose_secret()).unwrap();
        assert_eq!(text, r#"{"v":1,"f":[["user","a\"b",false],["pass","pä55 word",true]]}"#);
    }

    #[test]
    fn reads_only_what_it_wrote() {
        for bad in [
            &b""[..],
            b"{}",
            br#"{"v":2,"f":[["a","12345678",true]]}"#,
            br#"{"v":1,"f":[["a","12345678"]]}"#,
            br#"{"v":1,"f":[["a","12345678",true]]} x"#,
        ] {
            assert_eq!(CredentialFields::from_plaintext(bad).unwrap_err(), FieldsError::Unreadable);
        }
        let short = br#"{"v":1,"f":[["a","1234",true]]}"#;
        assert_eq!(CredentialFields::from_plaintext(short).unwrap_err(), FieldsError::TooShort("a".into()));
    }

    proptest! {
        #[test]
        fn plaintext_round_trips(
            values in proptest::collection::btree_map("[a-z][a-z0-9_]{0,31}", "[^\\p{Cc}]{8,60}", 1..=MAX_FIELDS),
        ) {
            let given = values.iter().map(|(n, v)| (n.clone(), Secret::new(v.clone())));
            let fields = CredentialFields::from_pairs(given, &[]).unwrap();
            let plaintext = fields.to_plaintext().unwrap();
            let again = CredentialFields::from_plaintext(plaintext.expose_secret()).unwrap();
            for (name, value) in &values {
                prop_assert_eq!(again.get(name).unwrap().expose_secret(), value);
            }
            prop_assert_eq!(again.names().count(), values.len());
        }
    }
}
