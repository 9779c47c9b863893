//! Spans of time in the units that people count in.

/// The unit in which a span is told, and how many of it; negative: ago. As `Intl.RelativeTimeFormat` takes them.
pub fn told(seconds: i64) -> (i64, &'static str) {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    match seconds.unsigned_abs() {
        0..45 => (0, "second"),
        45..2_700 => (nearest(seconds, MINUTE), "minute"),
        2_700..79_200 => (nearest(seconds, HOUR), "hour"),
        79_200..2_246_400 => (nearest(seconds, DAY), "day"),
        2_246_400..28_512_000 => (nearest(seconds, 30 * DAY), "month"),
        _ => (nearest(seconds, 365 * DAY), "year"),
    }
}

/// What is left, as whole days, hours, minutes and seconds; nothing is left of a span that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub days: i64,
    pub hours: i64,
    pub minutes: i64,
    pub seconds: i64,
}

impl Left {
    pub fn of(seconds: i64) -> Self {
        let seconds = seconds.max(0);
        Self {
            days: seconds / 86_400,
            hours: seconds / 3600 % 24,
            minutes: seconds / 60 % 60,
            seconds: seconds % 60,
        }
    }

    pub fn is_over(self) -> bool {
        self == Self::of(0)
    }
}

/// The locale for dates and numbers: the texts' language, with the habits of the region that the browser names.
pub fn locale<'a>(language: &str, preferred: impl IntoIterator<Item = &'a str>) -> String {
    let mut region = None;
    for tag in preferred {
        let found = tag.split('-').skip(1).find(|part| {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_alphabetic()))
                || (part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit()))
        });
        if let Some(found) = found {
            region = Some(found.to_ascii_uppercase());
            break;
        }
    }
    region.map_or_else(|| language.to_owned(), |region| format!("{language}-{region}"))
}

fn nearest(seconds: i64, unit: i64) -> i64 {
    let half = if seconds < 0 { -unit / 2 } else { unit / 2 };
    (seconds + half) / unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_the_unit_that_fits() {
        for (seconds, expected) in [
            (-3, (0, "second")),
            (-60, (-1, "minute")),
            (-44 * 60, (-44, "minute")),
            (-46 * 60, (-1, "hour")),
            (-3 * 3600, (-3, "hour")),
            (-23 * 3600, (-1, "day")),
            (7 * 86_400, (7, "day")),
            (31 * 86_400, (1, "month")),
            (-400 * 86_400, (-1, "year")),
        ] {
            assert_eq!(told(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn no_unit_is_told_as_none_of_it() {
        assert!((45..40_000_000_i64).step_by(977).all(|s| told(s).0 > 0 && told(-s).0 < 0));
    }

    #[test]
    fn what_is_left_counts_down_to_nothing() {
        assert_eq!(Left::of(90_061), Left { days: 1, hours: 1, minutes: 1, seconds: 1 });
        assert!(Left::of(0).is_over() && Left::of(-5).is_over() && !Left::of(1).is_over());
    }

    #[test]
    fn the_region_is_the_browsers_and_the_language_the_texts() {
        assert_eq!(locale("en", ["de-DE", "en-US"]), "en-DE");
        assert_eq!(locale("en", ["de", "en-gb"]), "en-GB");
        assert_eq!(locale("en", ["zh-Hant-TW"]), "en-TW");
        assert_eq!(locale("en", ["es-419"]), "en-419");
        assert_eq!(locale("en", ["de"]), "en");
        assert_eq!(locale("en", []), "en");
    }
}
