//! Cursors come back from callers as any text: none shows a row of another app, and pages neither repeat nor miss one.
//!
//! Input: the size of pages in the first byte, then the cursor.

#![no_main]

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeSet,
};

use alter_adapter_local::SqliteTable;
use alter_api_types::{AppId, EventId, GrantId, Id, OrgId};
use alter_domain::{
    model::{
        Actor, ActorKind, AuditEvent, EventKind, Grant, GrantPolicy, GrantSource, GrantState, Phase,
        Principal,
    },
    port::{Clock, SystemClock, Table as _},
    repo::{AuditFilter, AuditPage, AuditRows, AuditScope, Grants, Order},
};
use futures_util::FutureExt as _;
use jiff::{Timestamp, ToSpan as _};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

const ROWS: u128 = 9;

struct Store {
    table: SqliteTable,
    now: Timestamp,
    /// Sizes of pages with which all rows have been read.
    read_by: RefCell<BTreeSet<usize>>,
}

thread_local! {
    static STORE: OnceCell<Store> = const { OnceCell::new() };
}

fuzz_target!(|data: &[u8]| {
    let Some((size, text)) = data.split_first() else { return };
    let Ok(cursor) = std::str::from_utf8(text) else { return };
    let limit = usize::from(*size) % 7 + 1;
    STORE.with(|store| {
        let store = store.get_or_init(Store::new);
        grants(store, limit, cursor);
        for order in [Order::NewestFirst, Order::OldestFirst] {
            events(store, limit, cursor, order);
        }
        if store.read_by.borrow_mut().insert(limit) {
            all_grants(store, limit);
            for order in [Order::NewestFirst, Order::OldestFirst] {
                all_events(store, limit, order);
            }
        }
    });
});

fn grants(store: &Store, limit: usize, cursor: &str) {
    if let Ok(page) = now(Grants(&store.table).list(app(1), limit, Some(cursor.to_owned()))) {
        assert!(page.items.iter().all(|grant| grant.app_id == app(1)), "another app's grant");
        assert!(page.items.len() <= limit);
    }
}

fn all_grants(store: &Store, limit: usize) {
    let list = |cursor: Option<String>| now(Grants(&store.table).list(app(1), limit, cursor));
    let (mut seen, mut next) = (BTreeSet::new(), None);
    loop {
        let page = list(next).expect("the table's own cursor is read");
        for grant in page.items {
            assert!(seen.insert(grant.id), "a grant is repeated");
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen.len() as u128, ROWS, "a grant is missed");
}

fn events(store: &Store, limit: usize, cursor: &str, order: Order) {
    if let Ok(page) = store.events(limit, Some(cursor), order) {
        assert!(page.events.iter().all(|event| event.app_id == Some(app(1))), "another app's event");
        assert!(page.events.len() <= limit);
    }
}

fn all_events(store: &Store, limit: usize, order: Order) {
    let (mut seen, mut next) = (BTreeSet::new(), None);
    loop {
        let page = store.events(limit, next.as_deref(), order).expect("the record's own cursor is read");
        // An ascending reader always gets a cursor, to come back with.
        let done = page.events.is_empty();
        for event in page.events {
            assert!(seen.insert(event.id), "an event is repeated");
        }
        next = page.next;
        if done || next.is_none() {
            break;
        }
    }
    assert_eq!(seen.len() as u128, ROWS, "an event is missed");
}

impl Store {
    /// Two apps with as many rows each, in turns.
    fn new() -> Self {
        let table = SqliteTable::memory().expect("a table in memory");
        let now = SystemClock.now();
        let past = now - 1.hour();
        for number in 0..ROWS * 2 {
            let app = app(number % 2 + 1);
            let grant = Grant {
                id: id::<GrantId>(past, number),
                app_id: app,
                source: GrantSource::ManagedSecret { secret_id: fixed(5) },
                credential_id: fixed(6),
                provider_id: "p".to_owned(),
                principal: Principal::System,
                label: None,
                policy: GrantPolicy::default(),
                state: GrantState::Active,
                created_at: past,
            };
            self::now(table.transact(Grants::create_ops(&grant).unwrap())).expect("a grant is written");
            let report =
                self::now(AuditRows(&table).write(&[event(id(past, number), app, past).encode().unwrap()]));
            assert!(report.failed.is_empty());
        }
        Self { table, now, read_by: RefCell::default() }
    }

    fn events(&self, limit: usize, cursor: Option<&str>, order: Order) -> alter_domain::Result<AuditPage> {
        let filter = AuditFilter { order, ..AuditFilter::default() };
        now(AuditRows(&self.table).query(&AuditScope::App(app(1)), &filter, limit, cursor, self.now))
    }
}

fn event(id: EventId, app: AppId, at: Timestamp) -> AuditEvent {
    let actor = Actor {
        kind: ActorKind::App,
        key_id: None,
        key_prefix: None,
        agent_id: None,
        token_id: None,
        caller: None,
        caller_type: None,
        ip: None,
    };
    AuditEvent {
        id,
        at,
        org_id: fixed::<OrgId>(9),
        app_id: Some(app),
        kind: EventKind::Call,
        phase: Phase::Final,
        actor,
        surface: None,
        grant: None,
        user_id: None,
        call: None,
        outcome: None,
        detail: Default::default(),
    }
}

/// A table in memory answers at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("a table in memory does not wait")
}

fn app(number: u128) -> AppId {
    fixed(number)
}

fn fixed<T: Id>(number: u128) -> T {
    T::from(Uuid::from_u128(number))
}

fn id<T: Id>(at: Timestamp, number: u128) -> T {
    let mut random = [0; 10];
    random[9] = number as u8;
    let millis = at.as_millisecond() as u64 + number as u64;
    T::from(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}
