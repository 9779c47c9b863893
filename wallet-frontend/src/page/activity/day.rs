//! Days as the calendar on the user's wall has them. The arithmetic is plain; only what depends on the time zone asks the
//! browser.

use alter_api_types::Timestamp;

/// A calendar day, counted from 1 January 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// The day on which it was then, where the user is.
    pub fn of(at: Timestamp) -> Self {
        Self::of_date(&date_at(at.as_millisecond() as f64))
    }

    /// When the day begins where the user is.
    pub fn begins(self) -> Option<Timestamp> {
        let (year, month, day) = self.civil();
        let date = js_sys::Date::new_with_year_month_day(year.try_into().ok()?, month as i32 - 1, day as i32);
        Timestamp::from_millisecond(date.get_time() as i64).ok()
    }

    /// At noon, which no change of clocks moves to another day: for formats that take an instant.
    pub fn noon(self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.begins()?.as_millisecond() + 12 * 3_600_000).ok()
    }

    fn of_date(date: &js_sys::Date) -> Self {
        Self::from_civil(date.get_full_year() as i32, date.get_month() + 1, date.get_date())
    }

    /// Of the proleptic Gregorian calendar; `month` and `day` count from 1.
    pub fn from_civil(year: i32, month: u32, day: u32) -> Self {
        // Years begin in March here, so that the leap day is a year's last.
        let shifted = if month <= 2 { year - 1 } else { year };
        let era = shifted.div_euclid(400);
        let of_era = shifted.rem_euclid(400);
        let of_year = (153 * ((month as i32 + 9) % 12) + 2) / 5 + day as i32 - 1;
        Self(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
    }

    /// Year, month and day of the month.
    pub fn civil(self) -> (i32, u32, u32) {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, more) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        (year + era * 400 + more, month as u32, day as u32)
    }

    /// `2026-03-09`, as a date field writes it; `None` for what is no date.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year: i32 = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
        let mut two = || parts.next().filter(|part| part.len() == 2)?.parse::<u32>().ok();
        let (month, day) = (two()?, two()?);
        let parsed = Self::from_civil(year, month, day);
        let exists = (1..=12).contains(&month) && parsed.civil() == (year, month, day);
        (exists && parts.next().is_none()).then_some(parsed)
    }

    /// As a date field reads it.
    pub fn text(self) -> String {
        let (year, month, day) = self.civil();
        format!("{year:04}-{month:02}-{day:02}")
    }

    pub fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }
}

fn date_at(milliseconds: f64) -> js_sys::Date {
    js_sys::Date::new(&milliseconds.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_counts_them() {
        assert_eq!(Day::from_civil(1970, 1, 1), Day(0));
        assert_eq!(Day::from_civil(2000, 3, 1), Day(11_017));
        assert_eq!(Day::from_civil(2026, 11, 22), Day(20_779));
        let mut last = Day::from_civil(1899, 12, 31);
        for _ in 0..80_000 {
            let next = last.plus(1);
            let (year, month, day) = next.civil();
            assert_eq!(Day::from_civil(year, month, day), next);
            let (_, _, before) = last.civil();
            assert!(day == before + 1 || (day == 1 && before >= 28));
            last = next;
        }
    }

    #[test]
    fn a_date_field_is_read_as_it_is_written_and_what_is_no_date_is_not() {
        assert_eq!(Day::parse("2024-02-29").map(Day::text).as_deref(), Some("2024-02-29"));
        for bad in
            ["", "2023-02-29", "2024-13-01", "2024-00-01", "2024-1-01", "24-01-01", "2024-01-01-01", "today"]
        {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
    }
}
