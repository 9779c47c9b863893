//! Deliveries that are repeated, late, out of order, many at once, or cut off on the way (B085).

use std::sync::{Arc, OnceLock};

use alter_domain::{Error, model::EventKind, port::StoreError};
use alter_tests::{FaultTable, Setup, TestIdp, TestVault};

use super::{Sender, ada};

#[tokio::test]
async fn whatever_fails_on_the_way_the_repetition_finishes() {
    let mut failures = 0;
    for step in 1.. {
        let fault = Arc::new(OnceLock::new());
        let keep = Arc::clone(&fault);
        let setup = Setup::default()
            .layer(move |table| Arc::clone(keep.get_or_init(|| Arc::new(FaultTable::new(table)))));
        let app = setup.build().await.app().await;
        let sender = Sender::new(app, TestIdp::start().await).await;
        sender.arrive("ada").await;
        let token = sender.token_webhook("auth0").await;
        let fault = fault.get().unwrap();
        fault.arm(step, StoreError::Unavailable("planned".to_owned()));
        let first = sender.auth0(&token, &[("sdu", "ada", 1), ("sdu", "bob", 1)]).await;
        let reached = fault.seen() >= step;
        fault.disarm();
        if !first.status.is_success() {
            failures += 1;
            first.refused(503, "store_unavailable");
            sender.auth0(&token, &[("sdu", "ada", 1), ("sdu", "bob", 1)]).await.ok();
        }
        assert_eq!(sender.comes("ada").await, Err(Error::UserDeprovisioned), "{step}");
        assert_eq!(sender.comes("bob").await, Err(Error::UserDeprovisioned), "{step}");
        assert!(sender.has_task("ada").await, "{step}");
        assert_eq!(sender.record(), [EventKind::UserDeprovisioned], "{step}");
        if !reached {
            break;
        }
    }
    assert!(failures >= 6, "{failures} steps could fail");
}

#[tokio::test]
async fn who_comes_while_they_leave_is_refused() {
    for _ in 0..20 {
        let app = TestVault::new().await.app().await;
        let sender = Sender::new(app, TestIdp::start().await).await;
        let token = sender.token_webhook("auth0").await;
        let (_, answer) =
            futures_util::join!(sender.comes("ada"), sender.auth0(&token, &[("sdu", "ada", 1)]));
        answer.ok();
        assert_eq!(sender.comes("ada").await, Err(Error::UserDeprovisioned));
    }
}

#[tokio::test]
async fn a_long_delivery_is_applied_whole() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    let names: Vec<String> = (0..200).map(|number| format!("user-{number}")).collect();
    for name in &names[..20] {
        sender.arrive(name).await;
    }
    let items: Vec<_> =
        names.iter().flat_map(|name| [("ublkdu", name.as_str(), 1), ("sdu", name, 2)]).collect();
    sender.auth0(&token, &items).await.ok();
    for name in &names {
        assert_eq!(sender.comes(name).await, Err(Error::UserDeprovisioned), "{name}");
    }
}

#[tokio::test]
async fn b085_a_repeated_delivery_has_no_further_effect() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    sender.auth0(&token, &[("sdu", "ada", 1)]).await.ok();
    let rows = sender.record();
    sender.app.vault.work.take();
    for _ in 0..3 {
        sender.auth0(&token, &[("sdu", "ada", 1)]).await.ok();
    }
    assert_eq!(sender.record(), rows);
    assert!(sender.app.vault.work.take().is_empty());
    // Many at once are one.
    sender.arrive("bob").await;
    let delivery = || sender.auth0(&token, &[("sdu", "bob", 1)]);
    let answers = futures_util::future::join_all((0..20).map(|_| delivery())).await;
    assert!(answers.into_iter().all(|answer| answer.status.is_success()));
    assert_eq!(sender.record(), [EventKind::UserDeprovisioned; 2]);
}

#[tokio::test]
async fn b085_somebody_who_was_let_back_is_not_sent_away_by_an_event_from_before() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    sender.auth0(&token, &[("sdu", "ada", 1)]).await.ok();
    sender.app.vault.clock.advance(3600);
    sender.reinstate("ada").await;
    sender.auth0(&token, &[("sdu", "ada", 1)]).await.ok();
    // Told anew by a new event of the same time.
    sender.auth0_as(&token, "anew", ("sdu", "ada", 1)).await.ok();
    assert_eq!(sender.comes("ada").await, Ok(()));
    sender.auth0_as(&token, "again", ("sdu", "ada", 10_800)).await.ok();
    assert_eq!(sender.comes("ada").await, Err(Error::UserDeprovisioned));
}

#[tokio::test]
async fn events_out_of_order_end_where_the_newest_says() {
    let told = [("ublkdu", 10), ("ubuu", 20), ("ublkdu", 30), ("ubuu", 40)];
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [3, 0, 1, 2], [2, 3, 0, 1], [1, 3, 0, 2]];
    for (number, order) in orders.into_iter().enumerate() {
        let sender = ada().await;
        let token = sender.token_webhook("auth0").await;
        // Somebody whom the vault knows, and somebody whom it has never seen.
        for index in order {
            let (kind, at) = told[index];
            sender.auth0(&token, &[(kind, "ada", at), (kind, "bob", at)]).await.ok();
        }
        assert_eq!(sender.comes("ada").await, Ok(()), "{number}");
        assert_eq!(sender.comes("bob").await, Ok(()), "{number}");
        sender.auth0(&token, &[("ublkdu", "ada", 39), ("ublkdu", "bob", 39)]).await.ok();
        assert_eq!(sender.comes("ada").await, Ok(()), "{number}");
        sender.auth0(&token, &[("ublkdu", "ada", 41), ("ublkdu", "bob", 41)]).await.ok();
        assert_eq!(sender.comes("ada").await, Err(Error::UserSuspended), "{number}");
        assert_eq!(sender.comes("bob").await, Err(Error::UserSuspended), "{number}");
        // Leaving counts whenever it is told.
        sender.auth0(&token, &[("sdu", "ada", 5)]).await.ok();
        assert_eq!(sender.comes("ada").await, Err(Error::UserDeprovisioned), "{number}");
    }
}

#[tokio::test]
async fn an_event_of_the_future_does_not_outrank_what_comes_after_it() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    sender.auth0_as(&token, "far", ("ubuu", "ada", 100 * 365 * 86400)).await.ok();
    sender.app.vault.clock.advance(7200);
    sender.auth0_as(&token, "now", ("ublkdu", "ada", 7200)).await.ok();
    assert_eq!(sender.comes("ada").await, Err(Error::UserSuspended));
}

#[tokio::test]
async fn whom_an_operator_has_suspended_no_webhook_lets_back() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    sender.suspend_as_operator("ada").await;
    sender.auth0(&token, &[("ubuu", "ada", 50)]).await.ok();
    assert_eq!(sender.comes("ada").await, Err(Error::UserSuspended));
}

#[tokio::test]
async fn without_a_durable_record_nothing_changes() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    sender.app.vault.audit.refuse(|event| event.kind == EventKind::UserDeprovisioned);
    sender.auth0(&token, &[("sdu", "ada", 1)]).await.refused(503, "audit_unavailable");
    assert_eq!(sender.comes("ada").await, Ok(()));
    sender.app.vault.audit.accept();
    // The sender repeats what was not answered, and it acts.
    sender.auth0(&token, &[("sdu", "ada", 1)]).await.ok();
    assert_eq!(sender.comes("ada").await, Err(Error::UserDeprovisioned));
}
