//! JSON that keeps the order of its fields: the vault sends them in the order in which people want to read them.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(fields) => fields.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Follows `a.b.c`.
    pub(crate) fn path(&self, path: &str) -> Option<&Json> {
        path.split('.').try_fold(self, |at, name| at.get(name))
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.path(path).and_then(Json::as_text)
    }

    pub(crate) fn list(&self, name: &str) -> Option<&[Json]> {
        match self.get(name) {
            Some(Json::List(items)) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let fields: &[(String, Json)] = match self {
            Json::Object(fields) => fields,
            _ => &[],
        };
        fields.iter().map(|(key, _)| key.as_str())
    }

    pub(crate) fn put_first(&mut self, name: &str, value: Json) {
        if let Json::Object(fields) = self {
            fields.insert(0, (name.to_owned(), value));
        }
    }

    /// Puts the fields of a field in its place.
    pub(crate) fn inline(&mut self, name: &str) {
        let Json::Object(fields) = self else { return };
        let Some(position) =
            fields.iter().position(|(key, value)| key == name && matches!(value, Json::Object(_)))
        else {
            return;
        };
        if let (_, Json::Object(inner)) = fields.remove(position) {
            fields.splice(position..position, inner);
        }
    }

    /// Takes a field out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        let Json::Object(fields) = self else { return None };
        let position = fields.iter().position(|(key, _)| key == name)?;
        Some(fields.remove(position).1)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Json::Text(text.to_owned())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Number(value) => value.serialize(serializer),
            Json::Text(value) => serializer.serialize_str(value),
            Json::List(items) => serializer.collect_seq(items),
            Json::Object(fields) => serializer.collect_map(fields.iter().map(|(key, value)| (key, value))),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_fields_is_kept() {
        let text = r#"{"z":1,"a":[true,null,-2,0.5,{"y":"x","b":{}}],"m":"é"}"#;
        let json = Json::parse(text.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
        assert_eq!(json.keys().collect::<Vec<_>>(), ["z", "a", "m"]);
    }

    #[test]
    fn paths_lead_into_objects() {
        let json = Json::parse(br#"{"a":{"b":{"c":"x"}},"n":1}"#).unwrap();
        assert_eq!(json.text("a.b.c"), Some("x"));
        assert_eq!(json.path("a.x"), None);
        assert_eq!(json.path("n.b"), None);
        assert_eq!(json.text("n"), None);
    }
}
