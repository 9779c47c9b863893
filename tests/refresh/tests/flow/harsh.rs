//! The same over a table that throttles, loses answers and invents competitors.

use std::{sync::Arc, time::Duration};

use alter_domain::port::Table;
use alter_refresh_tests::Trouble;
use alter_table_contract::{HarshOptions, HarshTable};
use tokio::{task::JoinSet, time::Instant};

use crate::support::{Scene, rotating};

#[tokio::test(start_paused = true)]
async fn every_round_is_one_rotation_and_every_caller_has_its_tokens() {
    for seed in 0..25 {
        let scene = Scene::expired(rotating(seed % 2 == 0)).await;
        let worlds: Vec<_> = (0..4)
            .map(|n| {
                let options = HarshOptions {
                    seed: seed * 4 + n,
                    conflicts: 200,
                    throttles: 150,
                    lost_answers: 200,
                    ..HarshOptions::default()
                };
                let table: Arc<dyn Table> = Arc::new(HarshTable::new(Arc::clone(&scene.table), options));
                scene.other_at(table)
            })
            .collect();
        for round in 1..=4 {
            if round > 1 {
                scene.expire().await;
            }
            scene.far.plan([Trouble::Slow(Duration::from_millis(20))]);
            let (connection, tokens) = scene.stored().await;
            let mut callers = JoinSet::new();
            for n in 0..20 {
                let (world, present) =
                    (worlds[n % 4].clone(), (Arc::clone(&connection), Arc::clone(&tokens)));
                callers.spawn(async move {
                    let deadline = Instant::now() + Duration::from_secs(60);
                    world.call_with(present.0, present.1, deadline).await.unwrap().0.seal_version
                });
            }
            let versions = callers.join_all().await;
            assert!(versions.iter().all(|version| *version == round + 1), "seed {seed}: {versions:?}");
            let counts = scene.far.server.counts();
            assert_eq!((counts.rotations, counts.reuses), (round, 0), "seed {seed}");
            assert_eq!(scene.far.most_at_once(), 1, "seed {seed}");
            scene.assert_in_step().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_half_a_minute_loses_no_pair() {
    let scene = Scene::expired(rotating(false)).await;
    let table = Arc::new(HarshTable::new(Arc::clone(&scene.table), HarshOptions::default()));
    let world = scene.other_at(table.clone());
    scene.far.plan([Trouble::Slow(Duration::from_secs(1))]);
    let (connection, tokens) = scene.stored().await;
    let caller = tokio::spawn(async move {
        let deadline = Instant::now() + Duration::from_secs(60);
        world.call_with(connection, tokens, deadline).await.map(|fresh| fresh.0.seal_version)
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    table.set(|options| options.throttles = 1000);
    tokio::time::sleep(Duration::from_secs(23)).await;
    assert_eq!(scene.connection().await.value.seal_version, 1);
    table.set(|options| options.throttles = 0);
    assert_eq!(caller.await.unwrap().unwrap(), 2);
    scene.assert_in_step().await;
}
