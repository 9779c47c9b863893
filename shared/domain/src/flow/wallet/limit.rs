//! How often one address may come to the Wallet's public doors. Beginning to sign in writes an item, and nobody has proven anything
//! yet.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use quick_cache::sync::Cache;

/// A window's length, in seconds.
const WINDOW: u32 = 60;
/// How many addresses are remembered, some 100 bytes each. Of more, those that came least are forgotten.
const ADDRESSES: usize = 10_000;

/// What is counted, each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pace {
    /// Beginning to sign in.
    SignIn,
    /// Looking at what the sign-in page shows, which only reads.
    Page,
}

impl Pace {
    fn per_window(self) -> u32 {
        match self {
            Self::SignIn => 30,
            Self::Page => 120,
        }
    }
}

/// Counts in fixed windows of a minute, in this process. Clones count together.
#[derive(Debug, Clone)]
pub struct RateLimit(Arc<Cache<Visitor, Arc<AtomicU64>>>);

/// Nobody has one IPv6 address: whoever has one has its network of 64 bits. Those whose address is not known are one visitor.
type Visitor = (Pace, Option<IpAddr>);

impl Default for RateLimit {
    fn default() -> Self {
        Self(Arc::new(Cache::new(ADDRESSES)))
    }
}

impl RateLimit {
    /// Counts a visit. An error says in how many seconds the next one is welcome.
    pub fn take(&self, pace: Pace, ip: Option<IpAddr>, now: Timestamp) -> Result<(), u32> {
        let seconds = now.as_second().max(0).unsigned_abs();
        let window = seconds / u64::from(WINDOW);
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::new(AtomicU64::new(0)));
        let Ok(visits) = self.0.get_or_insert_with(&(pace, ip.map(network)), fresh);
        // The window above, the visits in it below: one number, so that nothing is counted into another window.
        let counted = |packed: u64| if packed >> 32 == window { packed + 1 } else { (window << 32) | 1 };
        let before = visits.fetch_update(Ordering::AcqRel, Ordering::Acquire, |packed| {
            let counted = counted(packed);
            // What is refused is not counted: the number cannot run over.
            (counted & u64::from(u32::MAX) <= u64::from(pace.per_window())).then_some(counted)
        });
        before.map(drop).map_err(|_| {
            let passed = u32::try_from(seconds % u64::from(WINDOW)).unwrap_or(0);
            WINDOW.saturating_sub(passed)
        })
    }
}

fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{Clock as _, ManualClock};

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_may_come_so_often_in_a_minute() {
        let clock = ManualClock::at("2026-03-01T12:00:10Z".parse().unwrap());
        let limit = RateLimit::default();
        let take = |pace, address| limit.clone().take(pace, ip(address), clock.now());
        for _ in 0..30 {
            take(Pace::SignIn, "192.0.2.1").unwrap();
        }
        for _ in 0..3 {
            assert_eq!(take(Pace::SignIn, "192.0.2.1"), Err(50));
            assert_eq!(
                take(Pace::SignIn, "::ffff:192.0.2.1"),
                Err(50),
                "the same address, written otherwise"
            );
        }
        take(Pace::SignIn, "192.0.2.2").unwrap();
        take(Pace::Page, "192.0.2.1").unwrap();
        limit.take(Pace::SignIn, None, clock.now()).unwrap();
        clock.advance(49);
        assert_eq!(take(Pace::SignIn, "192.0.2.1"), Err(1));
        clock.advance(1);
        for _ in 0..30 {
            take(Pace::SignIn, "192.0.2.1").unwrap();
        }
        assert_eq!(take(Pace::SignIn, "192.0.2.1"), Err(60));
    }

    #[test]
    fn a_network_of_ipv6_is_one_visitor() {
        let clock = ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap());
        let limit = RateLimit::default();
        for n in 0..30 {
            limit.take(Pace::SignIn, ip(&format!("2001:db8:0:1::{n:x}")), clock.now()).unwrap();
        }
        limit.take(Pace::SignIn, ip("2001:db8:0:1:ffff::1"), clock.now()).unwrap_err();
        limit.take(Pace::SignIn, ip("2001:db8:0:2::1"), clock.now()).unwrap();
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limit = RateLimit::default();
        let now = Timestamp::UNIX_EPOCH;
        for n in 0..3 * u32::try_from(ADDRESSES).unwrap() {
            limit.take(Pace::SignIn, Some(IpAddr::V4(n.into())), now).unwrap();
        }
        assert!(limit.0.len() <= ADDRESSES, "{}", limit.0.len());
    }

    #[test]
    fn visits_at_once_are_counted_once_each() {
        let limit = RateLimit::default();
        let taken = std::thread::scope(|scope| {
            let visits: Vec<_> = (0..8)
                .map(|_| {
                    let limit = limit.clone();
                    scope.spawn(move || {
                        let take = |_: &i32| limit.take(Pace::SignIn, None, Timestamp::UNIX_EPOCH).is_ok();
                        (0..100).filter(take).count()
                    })
                })
                .collect();
            visits.into_iter().map(|visit| visit.join().unwrap()).sum::<usize>()
        });
        assert_eq!(taken, 30);
    }
}
