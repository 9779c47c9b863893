//! Until when a grant can be extended.

use alter_api_types::Timestamp;

/// One of the times that are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// So many days from now.
    Days(i64),
    /// As long as its operator allows.
    Most,
}

const DAY: i64 = 86_400;

/// What is offered between the expiry in force (exclusive) and the latest one (inclusive): never a choice that would be refused.
pub fn offers(now: Timestamp, in_force: Timestamp, most: Timestamp) -> Vec<(Offer, Timestamp)> {
    let mut offers: Vec<_> = [7, 30, 90]
        .into_iter()
        .filter_map(|days| {
            Some((Offer::Days(days), Timestamp::from_second(now.as_second() + days * DAY).ok()?))
        })
        // Not what differs from the most by less than a day.
        .filter(|(_, at)| *at > in_force && at.as_second() + DAY <= most.as_second())
        .collect();
    if most > in_force && most > now {
        offers.push((Offer::Most, most));
    }
    offers
}

/// The end of a day that the user chose, given when the next one begins; never past the latest expiry. `None` if that is no
/// extension.
pub fn at_end_of_day(
    next_begins: Timestamp,
    now: Timestamp,
    in_force: Timestamp,
    most: Timestamp,
) -> Option<Timestamp> {
    let end = Timestamp::from_second(next_begins.as_second() - 1).ok()?.min(most);
    (end > in_force && end > now).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + days * DAY).unwrap()
    }

    #[test]
    fn only_what_is_later_than_now_in_force_and_allowed_is_offered() {
        let kinds = |in_force, most| -> Vec<Offer> {
            offers(at(0), at(in_force), at(most)).into_iter().map(|(offer, _)| offer).collect()
        };
        assert_eq!(kinds(3, 365), [Offer::Days(7), Offer::Days(30), Offer::Days(90), Offer::Most]);
        assert_eq!(kinds(10, 40), [Offer::Days(30), Offer::Most]);
        assert_eq!(kinds(-2, 30), [Offer::Days(7), Offer::Most], "30 days are the most");
        assert_eq!(kinds(30, 30), []);
        assert_eq!(kinds(-5, -1), [], "it is over and cannot be extended");
        assert!(offers(at(0), at(1), at(365)).iter().all(|(_, until)| *until > at(1) && *until <= at(365)));
    }

    #[test]
    fn a_chosen_day_is_meant_to_its_end_but_not_past_the_latest() {
        let end = |next, in_force, most| at_end_of_day(at(next), at(0), at(in_force), at(most));
        assert_eq!(end(5, 1, 30).map(Timestamp::as_second), Some(at(5).as_second() - 1));
        assert_eq!(end(31, 1, 30), Some(at(30)));
        assert_eq!(end(2, 3, 30), None, "it ends later already");
        assert_eq!(end(-1, -3, 30), None, "it is over");
    }
}
