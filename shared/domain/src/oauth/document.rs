//! A reply's body as a tree, wiped at the end: it holds tokens.

use http::HeaderValue;
use serde_json::{Map, Value};
use zeroize::Zeroize as _;

/// JSON, or a form read as an object of texts.
pub(super) struct Document(Value);

impl Document {
    /// By content type. One that says neither is JSON if it reads as such; plain text may be a form, too.
    /// Nesting is bounded by the parser (128).
    pub(super) fn parse(content_type: Option<&HeaderValue>, body: &[u8]) -> Result<Self, &'static str> {
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if body.trim_ascii().is_empty() {
            return Err("has no body");
        }
        if media == "application/x-www-form-urlencoded" {
            return Ok(Self::from_form(body));
        }
        // An error of the parser may quote the input: it is dropped.
        match serde_json::from_slice(body) {
            Ok(value) => Ok(Self(value)),
            Err(_) if media == "text/plain" && is_form(body) => Ok(Self::from_form(body)),
            Err(_) => Err("is neither JSON nor a form"),
        }
    }

    fn from_form(body: &[u8]) -> Self {
        let mut object = Map::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            object.entry(name).or_insert_with(|| Value::String(value.into_owned()));
        }
        Self(Value::Object(object))
    }

    pub(super) fn new(value: Value) -> Self {
        Self(value)
    }

    /// What stands at a dotted path, unless it is null.
    pub(super) fn at(&self, path: &str) -> Option<&Value> {
        let mut value = &self.0;
        for name in path.split('.') {
            value = match value {
                Value::Object(object) => object.get(name)?,
                Value::Array(list) => list.get(name.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        (!value.is_null()).then_some(value)
    }

    /// The first of several places where something stands.
    pub(super) fn first(&self, paths: &[String]) -> Option<&Value> {
        paths.iter().find_map(|path| self.at(path))
    }

    /// The first of several places with a text that is not empty, or a number.
    pub(super) fn text(&self, paths: &[String]) -> Option<String> {
        paths.iter().find_map(|path| text_of(self.at(path)?))
    }
}

/// Names and values, and nothing that a sentence or a page would have.
fn is_form(body: &[u8]) -> bool {
    body.contains(&b'=') && body.trim_ascii().iter().all(|b| b.is_ascii_graphic() && !b"<>\"{}".contains(b))
}

/// A text that is not empty, or a number as text.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(list) => list.iter_mut().for_each(wipe),
        Value::Object(object) => object.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
