use std::sync::atomic::{AtomicUsize, Ordering};

use alter_api_types::{AppId, OrgId};
use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::*;
use crate::{
    port::{KeyPurpose, ManualClock, Rng as _, SeededRng},
    secret::Secret,
};

/// Wraps by flipping bits, binds to the context, counts, and unwraps only as far as it has permits.
struct FakeWrapper {
    rng: SeededRng,
    unwraps: AtomicUsize,
    gate: Semaphore,
    failure: Mutex<Option<WrapError>>,
}

#[async_trait]
impl KeyWrapper for FakeWrapper {
    async fn generate(&self, context: &KeyContext) -> Result<(Secret<Vec<u8>>, WrappedKey), WrapError> {
        let mut key = vec![0; 32];
        self.rng.fill(&mut key).unwrap();
        let flipped = key.iter().map(|b| !b);
        let wrapped = WrappedKey(flipped.chain(context.canonical().into_bytes()).collect());
        Ok((Secret::new(key), wrapped))
    }

    async fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<Secret<Vec<u8>>, WrapError> {
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        if let Some(error) = self.failure.lock().unwrap().clone() {
            return Err(error);
        }
        let context = context.canonical();
        let material = wrapped.0.strip_suffix(context.as_bytes()).ok_or(WrapError::Tampered)?;
        Ok(Secret::new(material.iter().map(|b| !b).collect()))
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

struct World {
    wrapper: Arc<FakeWrapper>,
    clock: Arc<ManualClock>,
    keys: DataKeys,
}

impl World {
    fn new() -> Self {
        let wrapper = Arc::new(FakeWrapper {
            rng: SeededRng::new(1),
            unwraps: AtomicUsize::new(0),
            gate: Semaphore::new(1000),
            failure: Mutex::default(),
        });
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let keys = DataKeys::new(wrapper.clone(), clock.clone());
        Self { wrapper, clock, keys }
    }

    /// A ring whose key is no longer in memory.
    async fn cold_ring(&self) -> DataKeyRing {
        let ring = self.keys.create_ring(&context(), id(1)).await.unwrap();
        self.clock.advance(3600);
        ring
    }

    fn unwraps(&self) -> usize {
        self.wrapper.unwraps.load(Ordering::SeqCst)
    }

    fn fail_with(&self, error: Option<WrapError>) {
        *self.wrapper.failure.lock().unwrap() = error;
    }
}

fn context() -> KeyContext {
    let (org, app): (OrgId, AppId) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
    KeyContext { org, app, purpose: KeyPurpose::Credential }
}

/// Opens `n` times at once: the wrapper answers when all are waiting, and only once.
async fn open_many(world: &World, ring: &DataKeyRing, n: usize) -> Vec<Result<Arc<DataKey>, KeyError>> {
    world.wrapper.gate.forget_permits(usize::MAX);
    let context = context();
    let mut calls: Vec<_> = (0..n).map(|_| Box::pin(world.keys.open(&context, ring, id(1)))).collect();
    for call in &mut calls {
        assert!(call.now_or_never().is_none());
    }
    world.wrapper.gate.add_permits(1);
    join_all(calls).await
}

fn id(n: u128) -> DataKeyId {
    Uuid::from_u128(n).into()
}

#[tokio::test]
async fn a_new_key_is_in_memory_and_later_opens_from_the_ring() {
    let world = World::new();
    let ring = world.keys.create_ring(&context(), id(1)).await.unwrap();
    assert_eq!(ring.current(), id(1));
    let made = world.keys.open(&context(), &ring, id(1)).await.unwrap();
    assert_eq!(world.unwraps(), 0);

    world.clock.advance(300);
    assert!(world.keys.cached(&context(), id(1)).is_none() && !world.keys.warm(&context()));
    let opened = world.keys.open(&context(), &ring, id(1)).await.unwrap();
    assert_eq!(opened.material().expose_secret(), made.material().expose_secret());
    assert_eq!(world.unwraps(), 1);

    assert!(world.keys.warm(&context()));
    assert!(world.keys.cached(&context(), id(1)).is_some());
    world.keys.open(&context(), &ring, id(1)).await.unwrap();
    assert_eq!(world.unwraps(), 1);
}

#[tokio::test]
async fn rotation_keeps_old_keys() {
    let world = World::new();
    let first = world.keys.create_ring(&context(), id(1)).await.unwrap();
    world.clock.advance(3600);
    let second = world.keys.rotate_ring(&context(), &first, id(2)).await.unwrap();
    assert_eq!((second.current(), second.keys().len()), (id(2), 2));
    world.clock.advance(3600);
    let old = world.keys.open(&context(), &second, id(1)).await.unwrap();
    let new = world.keys.open(&context(), &second, id(2)).await.unwrap();
    assert_ne!(old.material().expose_secret(), new.material().expose_secret());

    let again = world.keys.rotate_ring(&context(), &second, id(1)).await;
    assert_eq!(again, Err(KeyError::DuplicateKey(id(1))));
    let mut full = second;
    for n in 3..=MAX_KEYS as u128 {
        full = world.keys.rotate_ring(&context(), &full, id(n)).await.unwrap();
    }
    let beyond = world.keys.rotate_ring(&context(), &full, id(9999)).await;
    assert_eq!(beyond, Err(KeyError::RingFull));
}

#[tokio::test]
async fn a_hundred_callers_share_one_unwrap() {
    let world = World::new();
    let ring = world.cold_ring().await;
    let opened = open_many(&world, &ring, 100).await;
    assert!(opened.iter().all(Result::is_ok));
    assert_eq!(world.unwraps(), 1);
}

#[test]
fn callers_on_many_threads_share_one_unwrap() {
    for _ in 0..20 {
        let world = World::new();
        let ring = block_on(world.cold_ring());
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| block_on(world.keys.open(&context(), &ring, id(1))).unwrap());
            }
        });
        assert_eq!(world.unwraps(), 1);
    }
}

#[tokio::test]
async fn an_error_is_shared_and_forgotten() {
    let world = World::new();
    let ring = world.cold_ring().await;
    let cases = [
        (WrapError::NotMyKey, KeyError::NotMyKey),
        (WrapError::Tampered, KeyError::Tampered),
        (WrapError::Unavailable("down".into()), KeyError::Unavailable("down".into())),
    ];
    for (n, (told, expected)) in cases.into_iter().enumerate() {
        world.fail_with(Some(told));
        let results = open_many(&world, &ring, 10).await;
        assert!(results.iter().all(|result| result.as_ref().unwrap_err() == &expected));
        assert_eq!(world.unwraps(), n + 1);
        assert!(!world.keys.warm(&context()));
    }
    world.fail_with(None);
    world.wrapper.gate.add_permits(1);
    assert!(world.keys.open(&context(), &ring, id(1)).await.is_ok());
}

#[tokio::test]
async fn wrong_context_wrong_length_and_unknown_id_are_refused() {
    let world = World::new();
    let ring = world.cold_ring().await;
    let unknown = world.keys.open(&context(), &ring, id(2)).await.unwrap_err();
    assert_eq!(unknown, KeyError::UnknownKey(id(2)));
    assert_eq!(world.unwraps(), 0);

    let other_app = KeyContext { app: Uuid::from_u128(3).into(), ..context() };
    assert_eq!(world.keys.open(&other_app, &ring, id(1)).await.unwrap_err(), KeyError::Tampered);
    let other_purpose = KeyContext { purpose: KeyPurpose::Signing, ..context() };
    assert_eq!(world.keys.open(&other_purpose, &ring, id(1)).await.unwrap_err(), KeyError::Tampered);

    let short = [&[0; 16][..], context().canonical().as_bytes()].concat();
    let created_at = world.clock.now();
    let short = DataKeyRing::new(RingKey { id: id(4), wrapped: WrappedKey(short), created_at });
    assert_eq!(world.keys.open(&context(), &short, id(4)).await.unwrap_err(), KeyError::Tampered);
}

#[tokio::test]
async fn a_caller_that_goes_away_neither_blocks_nor_breaks_the_others() {
    let world = World::new();
    let ring = world.cold_ring().await;
    let context = context();
    world.wrapper.gate.forget_permits(usize::MAX);
    // The one who started the unwrap leaves; one who joined gets the key.
    {
        let mut first = Box::pin(world.keys.open(&context, &ring, id(1)));
        assert!((&mut first).now_or_never().is_none());
        let mut second = Box::pin(world.keys.open(&context, &ring, id(1)));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        world.wrapper.gate.add_permits(1);
        second.await.unwrap();
        assert_eq!(world.unwraps(), 1);
    }
    // All leave: the unwrap is given up and the next caller starts anew.
    world.clock.advance(3600);
    let mut lonely = Box::pin(world.keys.open(&context, &ring, id(1)));
    assert!((&mut lonely).now_or_never().is_none());
    drop(lonely);
    world.keys.evict_expired();
    assert!(world.keys.0.flights().is_empty());
    world.wrapper.gate.add_permits(1);
    world.keys.open(&context, &ring, id(1)).await.unwrap();
    assert_eq!(world.unwraps(), 3);
}

#[tokio::test]
async fn the_sweeper_drops_expired_keys_and_ends_with_the_keys() {
    let world = World::new();
    world.cold_ring().await;
    assert_eq!(world.keys.0.cache.len(), 1);
    let sweeper = tokio::spawn(world.keys.sweeper());
    let swept = async {
        while world.keys.0.cache.len() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), swept).await.unwrap();
    sweeper.abort();

    let short = tokio::spawn(sweep(Arc::downgrade(&world.keys.0), Duration::from_millis(1)));
    drop(world.keys);
    tokio::time::timeout(Duration::from_secs(5), short).await.unwrap().unwrap();
}
