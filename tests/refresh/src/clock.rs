//! A clock that goes with the runtime's: it stands still and jumps where a test pauses that.

use alter_domain::port::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

pub struct TokioClock(Instant);

impl TokioClock {
    /// It is the year 2027 now.
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.0.elapsed()).unwrap();
        Timestamp::from_second(1_800_000_000).unwrap().checked_add(passed).unwrap()
    }
}
