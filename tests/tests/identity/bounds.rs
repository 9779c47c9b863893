//! What tokens may cost: before anybody is known, and with very many groups.

use std::sync::{Arc, OnceLock};

use alter_table_contract::CountingTable;
use alter_tests::{Setup, TestVault};
use serde_json::json;

use crate::world::World;

/// A vault whose storage calls are counted.
async fn counted() -> (TestVault, Arc<CountingTable>) {
    let table: Arc<OnceLock<Arc<CountingTable>>> = Arc::default();
    let slot = Arc::clone(&table);
    let setup = Setup::default().layer(move |table| {
        let table = Arc::new(CountingTable::new(table));
        assert!(slot.set(Arc::clone(&table)).is_ok());
        table
    });
    let vault = setup.build().await;
    (vault, Arc::clone(table.get().unwrap()))
}

fn groups(token: alter_tests::TokenSpec, count: usize) -> alter_tests::TokenSpec {
    (0..count).fold(token, |token, n| token.group(&format!("g{n}")))
}

#[tokio::test]
async fn a_token_that_nobody_verified_costs_a_few_reads_whatever_it_names() {
    let (vault, table) = counted().await;
    let world = World::of(vault).await;
    let other = world.app.vault.app().await;
    let mut forged = groups(world.idp.claims("nobody"), 100).sign();
    forged.replace_range(forged.len() - 20.., "AAAAAAAAAAAAAAAAAAAA");
    let mut costs = Vec::new();
    // Signed by another key than the one that is named, with and without a token.
    for token in [None, Some(forged)] {
        let mut body = world.by_provider("toy", "");
        match token {
            Some(token) => body["user_token"] = json!(token),
            None => drop(body.as_object_mut().unwrap().remove("user_token")),
        }
        table.reset();
        let request = world.client().request("POST", "/sdk/proxy").json(&body).signed_by(&other.key);
        assert_eq!(request.send().await.status.as_u16(), 401);
        costs.push(table.counts().calls());
    }
    assert!(costs[1] <= costs[0] + 8, "storage calls without and with a token: {costs:?}");
}

#[tokio::test]
async fn somebody_in_hundreds_of_groups_costs_no_query_for_each() {
    let (vault, table) = counted().await;
    let world = World::of(vault).await;
    let secret = world.secret("notes").await;
    let granted = world.of_group(&secret, "g250").await;
    world.of_group(&secret, "another").await;
    let token = groups(world.idp.claims("alice"), 300).sign();
    let call = world.by_provider("notes", &token);
    world.proxy(&call).await.ok();
    assert_eq!(world.last_call().grant.unwrap().id, granted);
    table.reset();
    world.proxy(&call).await.ok();
    let warm = table.counts();
    assert!(warm.query <= 40, "{warm:?}");
    table.reset();
    let list = json!({ "limit": 100, "offset": 0, "user_token": token });
    let listed = world.client().post("/sdk/grants/list", &list).await.ok();
    assert_eq!(listed["total"], 1, "{listed}");
    assert_eq!(listed["grants"][0]["grant_id"], json!(granted));
    assert!(table.counts().query <= 10, "{:?}", table.counts());
    // A provider that is none: nothing to look for.
    world.proxy(&world.by_provider("nothing", &token)).await.refused(404, "grant_not_found");
}
