//! A key wrapper that counts, in front of the real one.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use alter_domain::{
    port::{KeyContext, KeyWrapper, WrapError, WrappedKey},
    secret::Secret,
};
use async_trait::async_trait;

pub struct CountingWrapper {
    inner: Arc<dyn KeyWrapper>,
    made: AtomicU64,
    unwraps: AtomicU64,
    down: AtomicBool,
}

impl CountingWrapper {
    pub fn new(inner: Arc<dyn KeyWrapper>) -> Self {
        Self { inner, made: AtomicU64::new(0), unwraps: AtomicU64::new(0), down: AtomicBool::new(false) }
    }

    /// How many data keys it has made.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::SeqCst)
    }

    pub fn unwraps(&self) -> u64 {
        self.unwraps.load(Ordering::SeqCst)
    }

    /// From now on the key service does not answer, or does again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn up(&self) -> Result<(), WrapError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(WrapError::Unavailable("told to be down".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl KeyWrapper for CountingWrapper {
    async fn generate(&self, context: &KeyContext) -> Result<(Secret<Vec<u8>>, WrappedKey), WrapError> {
        self.made.fetch_add(1, Ordering::SeqCst);
        self.up()?;
        self.inner.generate(context).await
    }

    async fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<Secret<Vec<u8>>, WrapError> {
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        self.up()?;
        self.inner.unwrap(context, wrapped).await
    }
}
