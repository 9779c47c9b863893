//! JSON (RFC 8259) as the API writes it, read once into one type. A reader that is derived for each of the API's types costs
//! the page more than everything that it shows.

use std::{borrow::Cow, str::FromStr};

/// Deeper than anything that the API says.
const DEPTH: u8 = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json<'a> {
    Null,
    Bool(bool),
    /// The API counts in whole numbers; what comes after the point is dropped.
    Number(i64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// No JSON, or not what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

pub type Read<T> = Result<T, Unreadable>;

pub fn parse(text: &str) -> Read<Json<'_>> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(DEPTH)?;
    reader.blank();
    if reader.at == text.len() { Ok(value) } else { Err(Unreadable) }
}

/// A text as JSON writes it, in its quotes.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            // What must be escaped, all in the long form.
            '\0'..='\u{1f}' => {
                quoted.push_str("\\u00");
                quoted.extend(
                    [4, 0].map(|by| char::from_digit(u32::from(letter) >> by & 15, 16).unwrap_or('0')),
                );
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

impl<'a> Json<'a> {
    /// A field of an object; what is not there is null.
    pub fn get(&self, name: &str) -> &Json<'a> {
        let Json::Object(fields) = self else { return &Json::Null };
        fields.iter().find(|(known, _)| known == name).map_or(&Json::Null, |(_, value)| value)
    }

    pub fn as_text(&self) -> Read<&str> {
        if let Json::Text(text) = self { Ok(text) } else { Err(Unreadable) }
    }

    pub fn text(&self, name: &str) -> Read<String> {
        self.get(name).as_text().map(str::to_owned)
    }

    pub fn maybe_text(&self, name: &str) -> Read<Option<String>> {
        self.maybe(name, |it| it.as_text().map(str::to_owned))
    }

    /// A text that stands for something else: an id, a point in time.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Read<T> {
        self.get(name).read()
    }

    pub fn maybe_parsed<T: FromStr>(&self, name: &str) -> Read<Option<T>> {
        self.maybe(name, Self::read)
    }

    /// A whole number that fits.
    pub fn number<T: TryFrom<i64>>(&self, name: &str) -> Read<T> {
        self.get(name).whole()
    }

    pub fn maybe_number<T: TryFrom<i64>>(&self, name: &str) -> Read<Option<T>> {
        self.maybe(name, Self::whole)
    }

    pub fn flag(&self, name: &str) -> Read<bool> {
        if let Json::Bool(flag) = self.get(name) { Ok(*flag) } else { Err(Unreadable) }
    }

    pub fn maybe<T>(&self, name: &str, read: impl FnOnce(&Json<'a>) -> Read<T>) -> Read<Option<T>> {
        match self.get(name) {
            Json::Null => Ok(None),
            value => read(value).map(Some),
        }
    }

    pub fn list<T>(&self, name: &str, read: fn(&Json<'a>) -> Read<T>) -> Read<Vec<T>> {
        self.get(name).each(read)
    }

    pub fn each<T>(&self, read: fn(&Json<'a>) -> Read<T>) -> Read<Vec<T>> {
        if let Json::List(items) = self { items.iter().map(read).collect() } else { Err(Unreadable) }
    }

    /// An object of texts, in the order in which it was written.
    pub fn pairs(&self, name: &str) -> Read<Vec<(String, String)>> {
        let Json::Object(fields) = self.get(name) else { return Err(Unreadable) };
        fields.iter().map(|(name, value)| Ok((name.to_string(), value.as_text()?.to_owned()))).collect()
    }

    pub fn read<T: FromStr>(&self) -> Read<T> {
        self.as_text()?.parse().map_err(|_| Unreadable)
    }

    fn whole<T: TryFrom<i64>>(&self) -> Read<T> {
        if let Json::Number(number) = self {
            T::try_from(*number).map_err(|_| Unreadable)
        } else {
            Err(Unreadable)
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: u8) -> Read<Json<'a>> {
        let depth = depth.checked_sub(1).ok_or(Unreadable)?;
        self.blank();
        match self.peek() {
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'[') => self.list(depth),
            Some(b'{') => self.object(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.word("null") => Ok(Json::Null),
            _ if self.word("true") => Ok(Json::Bool(true)),
            _ if self.word("false") => Ok(Json::Bool(false)),
            _ => Err(Unreadable),
        }
    }

    fn list(&mut self, depth: u8) -> Read<Json<'a>> {
        let mut items = Vec::new();
        self.at += 1;
        self.blank();
        if self.word("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if !self.goes_on("]")? {
                return Ok(Json::List(items));
            }
        }
    }

    fn object(&mut self, depth: u8) -> Read<Json<'a>> {
        let mut fields = Vec::new();
        self.at += 1;
        self.blank();
        if self.word("}") {
            return Ok(Json::Object(fields));
        }
        loop {
            self.blank();
            let name = self.string()?;
            self.blank();
            if !self.word(":") {
                return Err(Unreadable);
            }
            fields.push((name, self.value(depth)?));
            if !self.goes_on("}")? {
                return Ok(Json::Object(fields));
            }
        }
    }

    /// Whether another one follows, or this was the last.
    fn goes_on(&mut self, end: &str) -> Read<bool> {
        self.blank();
        match (self.word(","), self.word(end)) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            _ => Err(Unreadable),
        }
    }

    fn string(&mut self) -> Read<Cow<'a, str>> {
        if !self.word("\"") {
            return Err(Unreadable);
        }
        let mut whole = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').ok_or(Unreadable)?;
            // Most texts have nothing escaped, and are not copied.
            whole += rest.get(..plain).ok_or(Unreadable)?;
            self.at += plain;
            if self.word("\"") {
                return Ok(whole);
            }
            if !self.word("\\") {
                return Err(Unreadable);
            }
            whole.to_mut().push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Read<char> {
        let kind = self.peek().ok_or(Unreadable)?;
        self.at += 1;
        Ok(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => match self.unit()? {
                // The first half of a pair (RFC 8259 section 7).
                high @ 0xd800..0xdc00 => {
                    let low = if self.word("\\u") { self.unit()? } else { return Err(Unreadable) };
                    let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or(Unreadable)?;
                    char::from_u32(0x10000 + ((high - 0xd800) << 10) + low).ok_or(Unreadable)?
                }
                unit => char::from_u32(unit).ok_or(Unreadable)?,
            },
            _ => return Err(Unreadable),
        })
    }

    fn unit(&mut self) -> Read<u32> {
        let digits = self.rest().get(..4).ok_or(Unreadable)?;
        self.at += 4;
        let digits = digits.chars().map(|digit| digit.to_digit(16).ok_or(Unreadable));
        digits.into_iter().try_fold(0, |unit, digit| Ok(unit << 4 | digit?))
    }

    fn number(&mut self) -> Read<Json<'a>> {
        let negative = self.word("-");
        let whole = self.digits();
        let number = whole.parse::<i64>().map_err(|_| Unreadable)?;
        if self.word(".") {
            self.digits();
        }
        // Nothing that the API counts is so large or so small.
        if matches!(self.peek(), Some(b'e' | b'E')) {
            return Err(Unreadable);
        }
        Ok(Json::Number(if negative { -number } else { number }))
    }

    fn digits(&mut self) -> &'a str {
        let rest = self.rest();
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let count = rest.len() - digits.len();
        self.at += count;
        rest.get(..count).unwrap_or_default()
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// As another reader has it.
    fn same(ours: &Json<'_>, theirs: &Value) -> bool {
        match (ours, theirs) {
            (Json::Null, Value::Null) => true,
            (Json::Bool(a), Value::Bool(b)) => a == b,
            (Json::Number(a), Value::Number(b)) => Some(*a) == b.as_i64(),
            (Json::Text(a), Value::String(b)) => a == b,
            (Json::List(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Json::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(name, a)| b.get(&**name).is_some_and(|b| same(a, b)))
            }
            _ => false,
        }
    }

    #[test]
    fn it_reads_what_another_reader_reads() {
        for text in [
            "null",
            " [ ] ",
            "{}",
            r#"{"a": [1, -20, 0, true, false, null], "b": {"c": "d"}, "": ""}"#,
            r#""\"\\\/\b\f\n\r\t\u00e9\u2028\uD83D\uDE00 é 😀""#,
            "[[[[[]]]], {\"a\":{\"b\":[{}]}}]\n",
            "9007199254740993",
        ] {
            assert!(same(&parse(text).unwrap(), &serde_json::from_str(text).unwrap()), "{text}");
        }
        assert_eq!(parse("12.9"), Ok(Json::Number(12)));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            " ",
            "nul",
            "nulll",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"a\nb\"",
            "1 2",
            "-",
            "--1",
            "+1",
            "1e5",
            "[] []",
            "99999999999999999999",
            "\"\\u00é\"",
            "'a'",
        ] {
            assert_eq!(parse(text), Err(Unreadable), "{text}");
        }
    }

    #[test]
    fn what_is_too_deep_is_refused_and_does_not_end_the_page() {
        assert!(parse(&"[".repeat(1_000_000)).is_err());
        assert!(parse(&format!("{}{}", "[".repeat(30), "]".repeat(30))).is_ok());
    }

    #[test]
    fn a_text_is_read_back_as_it_was_written() {
        let all: String = ('\0'..'\u{300}').chain("\u{2028}😀\"\\".chars()).collect();
        assert_eq!(serde_json::from_str::<String>(&quoted(&all)).unwrap(), all);
        assert_eq!(parse(&quoted(&all)).unwrap().as_text(), Ok(&*all));
    }

    #[test]
    fn a_field_of_another_kind_is_refused_and_one_that_is_absent_is_null() {
        let it = parse(r#"{"text": "a", "number": 300, "flag": true, "none": null}"#).unwrap();
        assert_eq!(it.text("text"), Ok("a".to_owned()));
        assert_eq!((it.text("number"), it.text("absent")), (Err(Unreadable), Err(Unreadable)));
        assert_eq!((it.maybe_text("none"), it.maybe_text("absent")), (Ok(None), Ok(None)));
        assert_eq!(it.maybe_text("flag"), Err(Unreadable));
        assert_eq!(it.number::<u16>("number"), Ok(300));
        assert_eq!(it.number::<u8>("number"), Err(Unreadable));
        assert_eq!(it.list("text", Json::read::<String>), Err(Unreadable));
    }
}
