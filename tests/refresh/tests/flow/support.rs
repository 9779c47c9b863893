//! A world with its far side.

use std::{ops::Deref, sync::Arc, time::Duration};

use alter_domain::port::Table;
use alter_refresh_tests::{AuthServer, FarSide, Keys, TokioClock, World, definition};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) far: Arc<FarSide>,
    pub(crate) table: Arc<dyn Table>,
    keys: Keys,
    clock: Arc<TokioClock>,
    _dir: TempDir,
}

impl Deref for Scene {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// A provider that rotates, with or without grace.
pub(crate) fn rotating(grace: bool) -> (AuthServer, Value) {
    let entry = if grace { json!({ "seconds": GRACE.as_secs() }) } else { json!("none") };
    let refresh = json!({ "kind": "refresh_token", "rotation": "always", "grace": entry });
    (AuthServer::rotating(grace.then_some(GRACE)), refresh)
}

/// A provider whose refresh token never changes.
pub(crate) fn steady() -> (AuthServer, Value) {
    (AuthServer::steady(), json!({ "kind": "refresh_token", "rotation": "never" }))
}

impl Scene {
    /// With an access token that has expired.
    pub(crate) async fn expired(provider: (AuthServer, Value)) -> Self {
        Self::with(provider, World::memory(), SignedDuration::ZERO).await
    }

    pub(crate) async fn with(
        (server, refresh): (AuthServer, Value),
        table: Arc<dyn Table>,
        life: SignedDuration,
    ) -> Self {
        let scene = Self::unconnected((server, refresh), table);
        scene.world.connect(life).await;
        scene
    }

    pub(crate) fn unconnected((server, refresh): (AuthServer, Value), table: Arc<dyn Table>) -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Arc::new(TokioClock::start());
        let keys = Keys::of_file(&dir.path().join("key"), clock.clone());
        let far = Arc::new(FarSide::new(server));
        let provider = definition("https://auth.example.com", &refresh);
        let world = World::new(Arc::clone(&table), keys.clone(), clock.clone(), far.clone(), provider);
        Self { world, far, table, keys, clock, _dir: dir }
    }

    /// Another process of the same vault: it shares the store and nothing else.
    pub(crate) fn other(&self) -> World {
        self.other_at(Arc::clone(&self.table))
    }

    pub(crate) fn other_at(&self, table: Arc<dyn Table>) -> World {
        let provider = self.config.definition().unwrap().clone();
        World::new(table, self.keys.clone(), self.clock.clone(), self.far.clone(), provider)
    }

    /// That the connection is Active with server's newest tokens, and a call gets through with them.
    pub(crate) async fn assert_in_step(&self) {
        let fresh = self.stored().await;
        assert_eq!(fresh.0.state, alter_domain::model::ConnectionState::Active);
        let access = self.world.keys.access_token(&fresh).await;
        assert!(self.far.server.accepts(&access), "{access} is not the provider's newest");
    }
}
