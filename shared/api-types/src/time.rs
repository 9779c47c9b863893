//! Points in time, as the wire has them (RFC 3339, in UTC). In the browser they are counted in milliseconds, as the browser counts
//! them: all that a library of dates could do more is a third of what the rest of the page weighs.

#[cfg(not(target_arch = "wasm32"))]
pub use jiff::Timestamp;
#[cfg(target_arch = "wasm32")]
pub use light::Timestamp;

#[cfg(any(target_arch = "wasm32", test))]
#[cfg_attr(
    not(target_arch = "wasm32"),
    allow(unreachable_pub, dead_code, reason = "compiled to be compared")
)]
mod light {
    use std::{fmt, str::FromStr};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    const DAY_MS: i64 = 86_400_000;
    /// The first moment of the year 1, and the last that the server's library has, a day before the year 10000.
    const FIRST: i64 = -62_135_596_800_000;
    const LAST: i64 = 253_402_207_200_000;

    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Timestamp(i64);

    /// Not a point in time that can be written, or no text of one.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct NotATime;

    impl Timestamp {
        pub const UNIX_EPOCH: Self = Self(0);

        pub fn from_millisecond(ms: i64) -> Result<Self, NotATime> {
            if (FIRST..=LAST).contains(&ms) { Ok(Self(ms)) } else { Err(NotATime) }
        }

        pub fn from_second(second: i64) -> Result<Self, NotATime> {
            second.checked_mul(1000).ok_or(NotATime).and_then(Self::from_millisecond)
        }

        pub fn as_millisecond(self) -> i64 {
            self.0
        }

        pub fn as_second(self) -> i64 {
            self.0.div_euclid(1000)
        }
    }

    impl FromStr for Timestamp {
        type Err = NotATime;

        /// `2026-11-22T10:00:00Z`, with up to nine digits after the second, of which three count.
        fn from_str(text: &str) -> Result<Self, NotATime> {
            let text = text.strip_suffix('Z').ok_or(NotATime)?;
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            let shape = |(at, byte): (usize, u8)| match at {
                4 | 7 => byte == b'-',
                10 => byte == b'T',
                13 | 16 => byte == b':',
                _ => byte.is_ascii_digit(),
            };
            let is_fraction =
                (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
            if whole.len() != 19 || !whole.bytes().enumerate().all(shape) || !is_fraction {
                return Err(NotATime);
            }
            let part =
                |from, to| whole.get(from..to).and_then(|digits| digits.parse::<i64>().ok()).ok_or(NotATime);
            let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
            let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
            let days = days_of(year, month, day);
            if date_of(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
                return Err(NotATime);
            }
            let digits = fraction.bytes().chain(*b"00").take(3);
            let ms = digits.fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
            Self::from_millisecond(days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + ms)
        }
    }

    impl fmt::Display for Timestamp {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let (days, ms) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
            let (year, month, day) = date_of(days);
            let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
            write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
            match ms % 1000 {
                0 => f.write_str("Z"),
                ms => write!(f, ".{ms:03}Z"),
            }
        }
    }

    impl Serialize for Timestamp {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.collect_str(self)
        }
    }

    impl<'de> Deserialize<'de> for Timestamp {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
            text.parse().map_err(|NotATime| serde::de::Error::custom("not a time"))
        }
    }

    /// Days since 1970-01-01 of a date of the Gregorian calendar; years begin in March here, so that a leap day is a year's last.
    fn days_of(year: i64, month: i64, day: i64) -> i64 {
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * month + 2) / 5 + day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    fn date_of(days: i64) -> (i64, i64, i64) {
        let days = days + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (year, month) = (era * 400 + year, if month < 10 { month + 3 } else { month - 9 });
        (year + i64::from(month <= 2), month, day)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn it_reads_and_writes_what_the_server_does() {
            let day = |n: i64| n * DAY_MS;
            let around =
                [FIRST, LAST, 0, -1, 1, 999, 1_795_377_600_123, day(19_782) - 1, day(11_016), day(-25_509)];
            // Every seventh hour of four centuries and more, leap days and turns of years among them.
            let many = (-8_000_000..8_000_000)
                .step_by(7 * 37)
                .map(|hour: i64| hour * 3_600_000 + hour.rem_euclid(1000));
            for ms in around.into_iter().chain(many.filter(|ms| (FIRST..=LAST).contains(ms))) {
                let (own, other) = (
                    Timestamp::from_millisecond(ms).unwrap(),
                    jiff::Timestamp::from_millisecond(ms).unwrap(),
                );
                assert_eq!(own.to_string().parse::<jiff::Timestamp>().unwrap(), other);
                assert_eq!(other.to_string().parse::<Timestamp>().unwrap(), own, "{other}");
                assert_eq!(own.as_second(), ms.div_euclid(1000));
            }
            let precise = "2026-11-22T10:00:00.123456789Z".parse::<Timestamp>().unwrap();
            assert_eq!(precise.to_string(), "2026-11-22T10:00:00.123Z");
            let text = serde_json::to_string(&precise).unwrap();
            assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), precise);
        }

        #[test]
        fn what_is_no_time_is_none() {
            for bad in [
                "",
                "2026-11-22",
                "2026-11-22T10:00:00",
                "2026-11-22T10:00:00+00:00",
                "2026-02-29T10:00:00Z",
                "2026-13-01T10:00:00Z",
                "2026-00-01T10:00:00Z",
                "2026-01-01T24:00:00Z",
                "2026-01-01T10:60:00Z",
                "2026-01-01T10:00:00.Z",
                "2026-01-01T10:00:00.1234567890Z",
                "2026-01-01 10:00:00Z",
                "+026-01-01T10:00:00Z",
                "2026-01-0\u{661}T10:00:0Z",
            ] {
                assert_eq!(bad.parse::<Timestamp>(), Err(NotATime), "{bad}");
            }
            assert!(
                Timestamp::from_second(i64::MAX).is_err() && Timestamp::from_millisecond(LAST + 1).is_err()
            );
        }
    }
}
