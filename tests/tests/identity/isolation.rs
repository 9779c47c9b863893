//! Two users of one provider, many calls of both at once (B010).

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use alter_tests::{Setup, TestIdp, TestVault, Upstream, reply};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::world::World;

const CALLS: u64 = 10_000;
const AT_ONCE: usize = 64;

/// Every call says in its path whose it is; the provider compares that with the credential that came along. Some name the grant, some
/// the provider, some the other's grant, which must never arrive; each user has several tokens.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b010_two_users_on_one_provider_never_have_each_others_credential() {
    let mixed: Arc<Mutex<Vec<String>>> = Arc::default();
    let (right, keep) = (Arc::new(AtomicU64::new(0)), Arc::clone(&mixed));
    let counted = Arc::clone(&right);
    let upstream = Upstream::serving(move |received| {
        let sub = received.target.trim_start_matches('/').to_owned();
        let seen = received.header("authorization").unwrap_or_default().to_owned();
        if seen == format!("Bearer access-of-{sub}@toy.example") {
            counted.fetch_add(1, Ordering::SeqCst);
        } else {
            keep.lock().unwrap().push(format!("{sub}: {seen}"));
        }
        async { reply(200, "") }
    })
    .await;
    let vault: TestVault = Setup::default().build().await;
    let (app, idp) = (vault.app().await, TestIdp::start().await);
    app.identity_provider(&idp).await;
    let world = World { app, idp, upstream };
    let toy = world.toy().await;
    let people = [("alice", "alice@toy.example"), ("bob", "bob@toy.example")];
    let mut grants = Vec::new();
    for (sub, account) in people {
        grants.push(world.connected(&toy, sub, account).await);
    }
    let tokens = people.map(|(sub, _)| {
        [0, 60, 120].map(|ago| world.idp.claims(sub).group(sub).group("both").issued_ago(ago).sign())
    });
    let client = world.client();
    let call = |n: u64| {
        let (client, world, grants) = (&client, &world, &grants);
        // An odd stride through the mix, so that neighbours differ in everything.
        let mix = usize::try_from(n * 7).unwrap();
        let (who, token, kind) = (mix % 2, (mix / 2) % 3, (mix / 6) % 5);
        let token = tokens[who][token].as_str();
        async move {
            let url = world.upstream.url(&format!("/{}", people[who].0));
            let mut call = json!({ "method": "GET", "url": url, "user_token": token });
            match kind {
                0 => call["grant_id"] = json!(grants[who]),
                1 | 2 => call["provider_id"] = json!("toy"),
                3 => {
                    call["provider_id"] = json!("toy");
                    call["account"] = json!(people[who].1);
                }
                _ => call["grant_id"] = json!(grants[1 - who]),
            }
            let answer = client.proxy(&call).await;
            if kind == 4 {
                answer.refused(404, "grant_not_found");
            } else {
                answer.ok();
            }
            u64::from(kind != 4)
        }
    };
    let answered: u64 = stream::iter((0..CALLS).map(call))
        .buffer_unordered(AT_ONCE)
        .fold(0, |sum, one| async move { sum + one })
        .await;
    assert_eq!(mixed.lock().unwrap().as_slice(), Vec::<String>::new());
    assert_eq!((answered, right.load(Ordering::SeqCst)), (CALLS / 5 * 4, CALLS / 5 * 4));
    assert_eq!(world.upstream.hits(), CALLS / 5 * 4);
}
