//! A record as long as it gets: a hundred thousand rows of one person's, read to the end.

use alter_domain::{
    api::{AppId, EventId, UserId},
    model::{
        Actor, AuditEvent, CallFacts, EventKind, Grant, GrantRef, Outcome, OutcomeKind, Phase, Principal,
        Surface,
    },
    port::Record,
    repo::{AuditRows, Grants},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    activity::rows,
    stage::stage,
    world::{Person, World},
};

const ROWS: u32 = 100_000;
/// A row in so many is of another provider.
const RARE: u32 = 10_000;

/// A call of a person's, so long ago.
fn call(world: &World, app: AppId, user: UserId, number: u32) -> Record {
    let at =
        world.app.vault.now().checked_sub(SignedDuration::from_secs(60 * i64::from(number) + 60)).unwrap();
    let event = AuditEvent {
        id: id_at(at, number),
        org_id: world.app.org,
        app_id: Some(app),
        at,
        kind: EventKind::Call,
        phase: Phase::Final,
        actor: Actor::of_vault(),
        surface: Some(Surface::Sdk),
        grant: Some(GrantRef {
            id: format!("00000000-0000-7000-8000-{:012x}", number % 7).parse().unwrap(),
            connection_id: None,
            provider_id: if number.is_multiple_of(RARE) { "rare" } else { "common" }.to_owned(),
            principal: Principal::User { user_id: user },
            label: None,
        }),
        user_id: None,
        call: Some(CallFacts {
            method: "GET".to_owned(),
            host: "api.example.com".to_owned(),
            path: format!("/things/{number}"),
            provider_id: None,
            reason: Some("To see what there is".to_owned()),
            context: std::collections::BTreeMap::new(),
            traceparent: None,
        }),
        outcome: Some(Outcome { status: Some(200), ..Outcome::of(OutcomeKind::Success) }),
        detail: std::collections::BTreeMap::new(),
    };
    event.encode().unwrap()
}

/// A UUIDv7 of that moment.
fn id_at(at: Timestamp, number: u32) -> EventId {
    let millis = at.as_millisecond();
    let (high, low) = (millis >> 16, millis & 0xffff);
    format!("{high:08x}-{low:04x}-7000-8000-{number:012x}").parse().unwrap()
}

/// Pages until there are no more; how many there were.
async fn each_page(world: &World, path: &str, mut see: impl FnMut(Value)) -> usize {
    let (mut pages, mut cursor) = (0, String::new());
    loop {
        let page = world.alice.get(&format!("{path}{cursor}")).await.ok();
        pages += 1;
        let next = page["next_cursor"].as_str().map(str::to_owned);
        see(page);
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn a_hundred_thousand_rows_are_read_to_the_end_without_a_gap_or_a_repeat() {
    let world = World::new().await;
    let other = world.beside("Library").await;
    let ports = world.app.vault.calm();
    let numbers: Vec<u32> = (0..ROWS).collect();
    for batch in numbers.chunks(1000) {
        let app = |number: u32| if number.is_multiple_of(2) { world.app.id } else { other.id };
        let mut records: Vec<_> =
            batch.iter().map(|number| call(&world, app(*number), world.alice.user, *number)).collect();
        // Bob's lie between them.
        records.extend(
            batch.iter().step_by(10).map(|number| call(&world, world.app.id, world.bob.user, *number + ROWS)),
        );
        let report = AuditRows(ports.table.as_ref()).write(&records).await;
        assert!(report.failed.is_empty());
    }

    let mut next = 0;
    let pages = each_page(&world, "/wallet/api/activity?limit=500", |page| {
        for row in rows(&page).iter().filter(|row| row["event"] == "call") {
            assert_eq!(row["path"], format!("/things/{next}"));
            next += 1;
        }
    });
    assert!(pages.await <= 201);
    assert_eq!(next, ROWS);

    let (mut calls, mut last) = (0, String::from("~"));
    let answers = each_page(&world, "/wallet/api/activity/counts?", |answer| {
        for bucket in answer["buckets"].as_array().unwrap() {
            let at = bucket["at"].as_str().unwrap().to_owned();
            assert!(at <= last, "{at} after {last}");
            last = at;
            calls += bucket["calls"].as_u64().unwrap();
        }
    });
    assert!((20..=22).contains(&answers.await), "each answer covers a bounded number of rows");
    assert_eq!(calls, u64::from(ROWS));

    let mut found = Vec::new();
    let pages = each_page(&world, "/wallet/api/activity?provider_id=rare&limit=500", |page| {
        found.extend(rows(&page).iter().map(|row| row["path"].as_str().unwrap().to_owned()));
    });
    assert!(pages.await <= 22, "what is rare is found with few requests");
    let expected: Vec<_> =
        (0..ROWS).step_by(RARE as usize).map(|number| format!("/things/{number}")).collect();
    assert_eq!(found, expected);
}

/// More than is shown is said to be more: access that nobody is told of is the worst that a Wallet can have.
#[tokio::test]
async fn of_more_agents_than_are_shown_it_is_said_that_there_are_more() {
    let stage = stage().await;
    let alice = Person::sign_in(&stage.shop, &stage.idp, "alice").await;
    let (connection, _) = stage.connected(&alice, "alice@toy.example").await;
    let agent = stage.shop.agent().await;
    let delegated = stage.delegated(connection, &agent).await;
    assert_eq!(alice.get("/wallet/api/overview").await.ok()["truncated"], json!(false));
    let ports = stage.vault.calm();
    let one = Grants(ports.table.as_ref()).get(stage.shop.id, delegated).await.unwrap().value;
    for _ in 0..1000 {
        let grant = Grant { id: ports.new_id().unwrap(), ..one.clone() };
        ports.table.transact(Grants::create_ops(&grant).unwrap()).await.unwrap();
    }
    let overview = alice.get("/wallet/api/overview").await.ok();
    assert_eq!(overview["grants"].as_array().unwrap().len(), 1001, "the user's own, and a thousand");
    assert_eq!(overview["truncated"], json!(true));
}
