//! Points in time and spans of time as people write them.

use jiff::Timestamp;

/// A span such as `90s`, `5m`, `12h` or `30d`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) i64);

/// When something ends: after a span, or at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    In(Span),
    At(Timestamp),
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a span is a number with s, m, h or d, such as 90s, 12h or 30d".to_owned();
        let unit = match text.chars().last() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            _ => return Err(wrong()),
        };
        let digits = text.get(..text.len() - 1).unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: i64 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(unit).map(Span).ok_or_else(wrong)
    }
}

impl std::str::FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(span) = text.parse() {
            return Ok(Expiry::In(span));
        }
        let wrong =
            |_| "an expiry is a span such as 12h or 30d, or a time such as 2030-01-31T12:00:00Z".to_owned();
        text.parse().map(Expiry::At).map_err(wrong)
    }
}

impl Expiry {
    /// As the vault takes it: `expires_at`, or `expires_in`, which is counted from the vault's clock and not from ours.
    pub(crate) fn for_wire(self) -> (Option<Timestamp>, Option<String>) {
        match self {
            Expiry::At(at) => (Some(at), None),
            // Minutes are the API's smallest unit; an expiry is never made later than it was asked for.
            Expiry::In(Span(seconds)) => (None, Some(format!("{}m", seconds / 60))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("12h", 43_200), ("30d", 2_592_000), ("0d", 0)] {
            assert_eq!(text.parse(), Ok(Span(seconds)), "{text}");
        }
        for bad in [
            "",
            "d",
            "5",
            "-5m",
            "+5m",
            "5 m",
            "5w",
            "1.5h",
            "99999999999999999999d",
            "9223372036854775807d",
            "é",
        ] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
            assert!(bad.parse::<Expiry>().is_err(), "{bad}");
        }
        let wire = |text: &str| text.parse::<Expiry>().unwrap().for_wire();
        assert_eq!(wire("12h"), (None, Some("720m".to_owned())));
        let (at, span) = wire("2031-05-06T07:08:09+02:00");
        assert_eq!((at.unwrap().to_string(), span), ("2031-05-06T05:08:09Z".to_owned(), None));
    }
}
