//! When a delivery was signed, and which headers say so.

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::Unverified;

/// How far the sender's time of signing may be from ours, both ways: what a recorded delivery is good for.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The value of a header that stands once. A repeated one is refused: two readers could take two values.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Unverified> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Unverified::Unreadable);
    }
    value.to_str().map(Some).map_err(|_| Unverified::Unreadable)
}

pub(super) fn check_time(signed_at: Timestamp, now: Timestamp) -> Result<(), Unverified> {
    let age = now.duration_since(signed_at);
    if age > TOLERANCE {
        Err(Unverified::Late)
    } else if age < -TOLERANCE {
        Err(Unverified::Early)
    } else {
        Ok(())
    }
}

/// A decimal number of 1 to 15 digits and nothing else: no sign, no blank, no other way to write the same signed text.
pub(super) fn digits(text: &str) -> Option<i64> {
    (text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_digits_are_a_number() {
        assert_eq!(digits("0"), Some(0));
        assert_eq!(digits("999999999999999"), Some(999_999_999_999_999));
        for text in ["", "+1", "-1", " 1", "1 ", "1.0", "1e3", "0x1", "1000000000000000", "١"] {
            assert_eq!(digits(text), None, "{text}");
        }
    }
}
