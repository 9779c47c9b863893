//! Trying again where the SDK does not, and knowing what an earlier attempt may have done.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alter_domain::port::{Rng, StoreError};
use aws_sdk_dynamodb::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::FinalizerInterceptorContextRef},
    error::BoxError,
};

use super::error::Failure;

/// How often in a row something is tried again that made no progress. With the pauses below that is about a second at
/// most, half of it on average: longer than contention or a splitting partition needs, shorter than a caller waits.
const RETRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Pauses that double up to a limit. Each is cut to a random part of itself (full jitter), so that those who collided do
/// not meet again.
pub(super) struct Backoff<'a> {
    rng: &'a dyn Rng,
    waited: u32,
}

impl<'a> Backoff<'a> {
    pub(super) fn new(rng: &'a dyn Rng) -> Self {
        Self { rng, waited: 0 }
    }

    /// Waits before the next try; false when there is to be none.
    pub(super) async fn wait(&mut self) -> bool {
        if self.waited == RETRIES {
            return false;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.waited).min(LONGEST_PAUSE);
        self.waited += 1;
        tokio::time::sleep(part(self.rng, pause)).await;
        true
    }

    /// Something was done: the next failure is the first again.
    pub(super) fn progress(&mut self) {
        self.waited = 0;
    }
}

/// Makes attempts until one is not [`Failure::Contended`], or there were enough.
pub(super) async fn contended<T, F>(rng: &dyn Rng, attempt: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut backoff = Backoff::new(rng);
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Failure::Contended) if backoff.wait().await => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// Sees each attempt of a write and remembers whether one ended without an answer that says what became of it: a
/// connection that broke, a timeout, a 5xx.
///
/// The SDK tries again then, which is right; but if the retry fails its condition, that may be the first attempt's own
/// doing.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt(Arc<AtomicBool>);

impl Doubt {
    /// In doubt, "nothing was written" becomes "it may have been".
    pub(super) fn settle(&self, failure: Failure) -> Failure {
        if self.0.load(Ordering::Acquire) && !matches!(failure, Failure::Store(StoreError::Unavailable(_))) {
            let detail =
                format!("an attempt had no answer, and the next failed: {}", StoreError::from(failure));
            return Failure::Store(StoreError::Unavailable(detail));
        }
        failure
    }
}

impl Intercept for Doubt {
    fn name(&self) -> &'static str {
        "alter::table::Doubt"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let told = match context.output_or_error() {
            Some(Ok(_)) => true,
            Some(Err(error)) => {
                error.is_operation_error()
                    && context.response().is_some_and(|response| response.status().is_client_error())
            }
            None => false,
        };
        if !told {
            self.0.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// Without randomness, all of it.
fn part(rng: &dyn Rng, whole: Duration) -> Duration {
    let mut bytes = [0xff; 2];
    rng.fill(&mut bytes).ok();
    whole.mul_f64(f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use alter_domain::port::{RngError, SeededRng};

    use super::*;

    struct NoRng;

    impl Rng for NoRng {
        fn fill(&self, _: &mut [u8]) -> Result<(), RngError> {
            Err(RngError)
        }
    }

    async fn pauses(rng: &dyn Rng) -> Vec<u128> {
        let mut backoff = Backoff::new(rng);
        let mut pauses = Vec::new();
        loop {
            let before = tokio::time::Instant::now();
            if !backoff.wait().await {
                return pauses;
            }
            pauses.push(before.elapsed().as_millis());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_their_limit_and_end() {
        assert_eq!(pauses(&NoRng).await, [25, 50, 100, 200, 400]);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_are_cut_at_random() {
        let (one, other) = (pauses(&SeededRng::new(1)).await, pauses(&SeededRng::new(2)).await);
        assert_ne!(one, other);
        for (pause, most) in one.iter().zip([25, 50, 100, 200, 400]) {
            // The timer counts in whole milliseconds and rounds up.
            assert!(*pause <= most + 1, "{pause} of {most}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn contention_is_tried_again_for_a_while_and_nothing_else_is() {
        let tries = AtomicU32::new(0);
        let result: Result<(), _> = contended(&NoRng, || async {
            tries.fetch_add(1, Ordering::Relaxed);
            Err(Failure::Contended)
        })
        .await;
        assert_eq!((result, tries.into_inner()), (Err(Failure::Contended), RETRIES + 1));
        let tries = AtomicU32::new(0);
        let result: Result<(), _> = contended(&NoRng, || async {
            tries.fetch_add(1, Ordering::Relaxed);
            Err(Failure::Store(StoreError::Conflict))
        })
        .await;
        assert_eq!((result, tries.into_inner()), (Err(Failure::Store(StoreError::Conflict)), 1));
    }
}
