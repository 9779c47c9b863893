//! Time and randomness as parameters.

use std::{
    cell::RefCell,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::Timestamp;
use ring::rand::SecureRandom as _;
use zeroize::{Zeroize as _, Zeroizing};

pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_microsecond()))
    }

    /// Moves the clock by a number of seconds, forward or back.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds.saturating_mul(1_000_000), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// The source of randomness failed; nothing that needs a key may go on.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("random source failed")]
pub struct RngError;

pub trait Rng: Send + Sync {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RngError>;
}

/// The operating system's generator.
pub struct SystemRng(ring::rand::SystemRandom);

impl SystemRng {
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemRng {
    fn default() -> Self {
        Self::new()
    }
}

/// How much is fetched from the system at once for short requests: a call needs two ids, and each would be a system call.
const POOL_BYTES: usize = 1024;
/// Longer requests go to the system.
const POOLED: usize = 64;

/// Random bytes of the system that nobody has seen yet. Each is handed out once and wiped.
struct Pool {
    bytes: Zeroizing<[u8; POOL_BYTES]>,
    left: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::new(Pool { bytes: Zeroizing::new([0; POOL_BYTES]), left: 0 });
}

impl Rng for SystemRng {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RngError> {
        if bytes.len() > POOLED {
            return self.0.fill(bytes).map_err(|_| RngError);
        }
        POOL.with_borrow_mut(|pool| {
            if pool.left < bytes.len() {
                self.0.fill(pool.bytes.as_mut_slice()).map_err(|_| RngError)?;
                pool.left = POOL_BYTES;
            }
            let rest = pool.left - bytes.len();
            let taken = pool.bytes.get_mut(rest..pool.left).ok_or(RngError)?;
            bytes.copy_from_slice(taken);
            taken.zeroize();
            pool.left = rest;
            Ok(())
        })
    }
}

/// A repeatable generator for tests (SplitMix64). Not for keys.
#[derive(Debug)]
pub struct SeededRng(Mutex<u64>);

impl SeededRng {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RngError> {
        let mut state = self.0.lock().map_err(|_| RngError)?;
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            for (byte, random) in chunk.iter_mut().zip(z.to_le_bytes()) {
                *byte = random;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_was_handed_out_never_comes_again() {
        let rng = SystemRng::new();
        let mut seen = HashSet::new();
        for length in [16, 10, 64, 32, 65].into_iter().cycle().take(2000) {
            let mut bytes = vec![0; length];
            rng.fill(&mut bytes).unwrap();
            assert!(seen.insert(bytes.get(..10).unwrap().to_vec()));
        }
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    let mut bytes = [0; 16];
                    SystemRng::new().fill(&mut bytes).unwrap();
                    bytes
                })
            })
            .collect();
        let apart: HashSet<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(apart.len(), 4);
    }
}
