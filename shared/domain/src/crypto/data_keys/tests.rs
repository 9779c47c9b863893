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

/// Wraps by flipping bits, binds to the context, counts, and answers only as far as it has permits.
struct FakeWrapper {
    rng: SeededRng,
    made: AtomicUsize,
    unwraps: AtomicUsize,
    gate: Semaphore,
    failure: Mutex<Option<WrapError>>,
}

#[async_trait]
impl KeyWrapper for FakeWrapper {
    async fn generate(&self, context: &KeyContext) -> Result<(Secret<Vec<u8>>, WrappedKey), WrapError> {
        self.made.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        if let Some(error) = self.failure.lock().unwrap().clone() {
            return Err(error);
        }
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
            made: AtomicUsize::new(0),
            unwraps: AtomicUsize::new(0),
            gate: Semaphore::new(1000),
            failure: Mutex::default(),
        });
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let keys = DataKeys::new(wrapper.clone(), clock.clone());
        Self { wrapper, clock, keys }
    }

    /// A data key as a sealed value carries it, no longer in memory.
    async fn cold(&self) -> Carried {
        let key = self.keys.for_sealing(&context(), id(1)).await.unwrap();
        self.clock.advance(3600);
        Carried::from(key.wrapped())
    }

    async fn open(&self, carried: &Carried) -> Result<Arc<DataKey>, KeyError> {
        self.keys.open(&context(), carried.key()).await
    }

    fn made(&self) -> usize {
        self.wrapper.made.load(Ordering::SeqCst)
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

/// What a sealed value says of its key.
#[derive(Clone, PartialEq, Debug)]
struct Carried {
    id: DataKeyId,
    wrapped: Vec<u8>,
}

impl Carried {
    fn key(&self) -> WrappedDataKey<'_> {
        WrappedDataKey { id: self.id, wrapped: &self.wrapped }
    }
}

impl From<WrappedDataKey<'_>> for Carried {
    fn from(key: WrappedDataKey<'_>) -> Self {
        Self { id: key.id, wrapped: key.wrapped.to_vec() }
    }
}

/// Asks all at once: the key service answers when all are waiting, and only once.
async fn at_once<F: Future>(world: &World, asking: impl Iterator<Item = F>) -> Vec<F::Output> {
    world.wrapper.gate.forget_permits(usize::MAX);
    let mut calls: Vec<_> = asking.map(Box::pin).collect();
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
async fn whoever_seals_never_unwraps_and_uses_a_key_for_five_minutes_at_most() {
    let world = World::new();
    let first = world.keys.for_sealing(&context(), id(1)).await.unwrap();
    world.clock.advance(LIFETIME.as_secs() - 1);
    let again = world.keys.for_sealing(&context(), id(2)).await.unwrap();
    assert_eq!((first.wrapped(), world.made()), (again.wrapped(), 1));
    world.clock.advance(1);
    let second = world.keys.for_sealing(&context(), id(2)).await.unwrap();
    assert_eq!((second.wrapped().id, world.made()), (id(2), 2));
    assert_ne!(first.material().expose_secret(), second.material().expose_secret());
    // Using a key to open does not keep it for sealing.
    world.clock.advance(200);
    world.keys.open(&context(), second.wrapped()).await.unwrap();
    assert_eq!(world.unwraps(), 0);
    world.clock.advance(100);
    assert_eq!(world.keys.for_sealing(&context(), id(3)).await.unwrap().wrapped().id, id(3));
    assert_eq!((world.made(), world.unwraps()), (3, 0));
    // Each app and purpose has keys of its own.
    let other_app = KeyContext { app: Uuid::from_u128(3).into(), ..context() };
    let other_purpose = KeyContext { purpose: KeyPurpose::Signing, ..context() };
    for (n, other) in [(4, other_app), (5, other_purpose)] {
        assert_eq!(world.keys.for_sealing(&other, id(n)).await.unwrap().wrapped().id, id(n));
    }
    assert_eq!(world.unwraps(), 0);
}

#[tokio::test]
async fn a_key_that_was_opened_is_not_used_to_seal() {
    let world = World::new();
    let carried = world.cold().await;
    world.open(&carried).await.unwrap();
    assert_eq!(world.keys.for_sealing(&context(), id(2)).await.unwrap().wrapped().id, id(2));
}

#[tokio::test]
async fn a_new_key_is_in_memory_and_later_opens_from_what_was_carried() {
    let world = World::new();
    let made = world.keys.for_sealing(&context(), id(1)).await.unwrap();
    let carried = Carried::from(made.wrapped());
    world.open(&carried).await.unwrap();
    assert_eq!(world.unwraps(), 0);

    world.clock.advance(300);
    for _ in 0..2 {
        let opened = world.open(&carried).await.unwrap();
        assert_eq!(opened.material().expose_secret(), made.material().expose_secret());
        assert_eq!(Carried::from(opened.wrapped()), carried);
        assert_eq!(world.unwraps(), 1);
    }
    world.clock.advance(300);
    world.open(&carried).await.unwrap();
    assert_eq!(world.unwraps(), 2);
}

/// A known id in front of other bytes is another key: it is unwrapped by itself, beside a key in memory and beside one
/// that is just being opened.
#[tokio::test]
async fn a_forged_wrapping_does_not_ride_on_a_known_id() {
    let world = World::new();
    let carried = world.cold().await;
    let forged = Carried { wrapped: b"forged".to_vec(), ..carried.clone() };
    let other = world.keys.for_sealing(&context(), id(2)).await.unwrap();
    let swapped = Carried { wrapped: other.wrapped().wrapped.to_vec(), ..carried.clone() };

    let context = context();
    world.wrapper.gate.forget_permits(usize::MAX);
    let mut honest = Box::pin(world.keys.open(&context, carried.key()));
    assert!((&mut honest).now_or_never().is_none());
    let mut forger = Box::pin(world.keys.open(&context, forged.key()));
    assert!((&mut forger).now_or_never().is_none());
    world.wrapper.gate.add_permits(1000);
    assert_eq!(forger.await.unwrap_err(), KeyError::Tampered);
    honest.await.unwrap();

    assert_eq!(world.open(&forged).await.unwrap_err(), KeyError::Tampered);
    // A genuine wrapping under a foreign id opens as what it is, in nobody's place.
    let genuine = world.open(&carried).await.unwrap();
    let opened = world.open(&swapped).await.unwrap();
    assert_eq!(opened.material().expose_secret(), other.material().expose_secret());
    assert_ne!(opened.wrapped(), genuine.wrapped());
    let again = world.open(&carried).await.unwrap();
    assert_eq!(again.material().expose_secret(), genuine.material().expose_secret());
}

#[tokio::test]
async fn a_hundred_callers_share_one_unwrap_and_one_new_key() {
    let world = World::new();
    let carried = world.cold().await;
    let opened = at_once(&world, (0..100).map(|_| world.open(&carried))).await;
    assert!(opened.iter().all(Result::is_ok));
    assert_eq!(world.unwraps(), 1);

    let (before, context) = (world.made(), context());
    let made = at_once(&world, (0..100).map(|n| world.keys.for_sealing(&context, id(100 + n)))).await;
    assert!(made.iter().all(|key| key.as_ref().unwrap().wrapped().id == id(100)));
    assert_eq!(world.made(), before + 1);
}

#[test]
fn callers_on_many_threads_share_one_unwrap() {
    for _ in 0..20 {
        let world = World::new();
        let carried = block_on(world.cold());
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| block_on(world.open(&carried)).unwrap());
            }
        });
        assert_eq!(world.unwraps(), 1);
    }
}

#[tokio::test]
async fn an_error_is_shared_and_forgotten() {
    let world = World::new();
    let (carried, context) = (world.cold().await, context());
    let cases = [
        (WrapError::NotMyKey, KeyError::NotMyKey),
        (WrapError::Tampered, KeyError::Tampered),
        (WrapError::Unavailable("down".into()), KeyError::Unavailable("down".into())),
    ];
    for (n, (told, expected)) in cases.into_iter().enumerate() {
        world.fail_with(Some(told));
        let opened = at_once(&world, (0..10).map(|_| world.open(&carried))).await;
        let made = at_once(&world, (0..10).map(|_| world.keys.for_sealing(&context, id(2)))).await;
        assert!(opened.iter().chain(&made).all(|result| result.as_ref().unwrap_err() == &expected));
        assert_eq!((world.unwraps(), world.made()), (n + 1, n + 2));
        world.keys.evict_expired();
        assert_eq!(world.keys.0.cache.len(), 0);
    }
    world.fail_with(None);
    world.wrapper.gate.add_permits(2);
    assert!(world.open(&carried).await.is_ok());
    assert!(world.keys.for_sealing(&context, id(2)).await.is_ok());
}

#[tokio::test]
async fn wrong_context_and_wrong_length_are_refused() {
    let world = World::new();
    let carried = world.cold().await;
    let elsewhere = [
        KeyContext { org: Uuid::from_u128(3).into(), ..context() },
        KeyContext { app: Uuid::from_u128(3).into(), ..context() },
        KeyContext { purpose: KeyPurpose::Signing, ..context() },
    ];
    // Also while it is in memory for its own context.
    for _ in 0..2 {
        for other in elsewhere {
            assert_eq!(world.keys.open(&other, carried.key()).await.unwrap_err(), KeyError::Tampered);
        }
        world.open(&carried).await.unwrap();
    }
    let short = [&[0; 16][..], context().canonical().as_bytes()].concat();
    let short = Carried { id: id(4), wrapped: short };
    assert_eq!(world.open(&short).await.unwrap_err(), KeyError::Tampered);
}

/// Nothing is sealed that no reader would take.
#[tokio::test]
async fn a_key_service_that_makes_what_cannot_be_stored_is_of_no_use() {
    struct Makes(usize, usize);
    #[async_trait]
    impl KeyWrapper for Makes {
        async fn generate(&self, _: &KeyContext) -> Result<(Secret<Vec<u8>>, WrappedKey), WrapError> {
            Ok((Secret::new(vec![7; self.0]), WrappedKey(vec![1; self.1])))
        }

        async fn unwrap(&self, _: &KeyContext, _: &WrappedKey) -> Result<Secret<Vec<u8>>, WrapError> {
            Err(WrapError::Tampered)
        }
    }
    for (material, wrapped, usable) in [(32, 1024, true), (32, 1025, false), (32, 0, false), (16, 190, false)]
    {
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let keys = DataKeys::new(Arc::new(Makes(material, wrapped)), clock);
        let made = keys.for_sealing(&context(), id(1)).await;
        assert_eq!(made.is_ok(), usable, "{material} in {wrapped}");
        assert!(usable || matches!(made, Err(KeyError::Unavailable(_))));
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_neither_blocks_nor_breaks_the_others() {
    let world = World::new();
    let carried = world.cold().await;
    world.wrapper.gate.forget_permits(usize::MAX);
    // The one who started the unwrap leaves; one who joined gets the key.
    {
        let mut first = Box::pin(world.open(&carried));
        assert!((&mut first).now_or_never().is_none());
        let mut second = Box::pin(world.open(&carried));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        world.wrapper.gate.add_permits(1);
        second.await.unwrap();
        assert_eq!(world.unwraps(), 1);
    }
    // All leave: the unwrap is given up and the next caller starts anew.
    world.clock.advance(3600);
    let mut lonely = Box::pin(world.open(&carried));
    assert!((&mut lonely).now_or_never().is_none());
    drop(lonely);
    world.keys.evict_expired();
    assert!(world.keys.0.flights().is_empty());
    world.wrapper.gate.add_permits(1);
    world.open(&carried).await.unwrap();
    assert_eq!(world.unwraps(), 3);
}

#[tokio::test]
async fn the_sweeper_drops_expired_keys_and_ends_with_the_keys() {
    let world = World::new();
    world.cold().await;
    assert_eq!(world.keys.0.cache.len(), 2, "for sealing and for opening");
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
