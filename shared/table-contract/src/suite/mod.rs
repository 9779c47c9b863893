//! The cases, one function for each promise of the port.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a broken promise is a panic; this crate is test code"
)]

pub mod concurrency;
pub mod counters;
pub mod indexes;
pub mod items;
pub mod limits;
pub mod queries;
pub mod transactions;

use std::{sync::Arc, time::Duration};

use alter_domain::port::{Item, Key, Query, StoreError, Table, TableName};

use crate::Case;

pub(crate) const TABLES: [TableName; 3] = [TableName::Main, TableName::Vault, TableName::Audit];
/// How long an index may lag behind before that counts as broken.
const INDEX_LAG: Duration = Duration::from_secs(10);

macro_rules! cases {
    ($($module:ident: $($name:ident),+;)+) => {
        /// All cases, in the order in which [`crate::run`] runs them.
        pub fn cases() -> Vec<Case> {
            vec![$($(Case {
                name: concat!(stringify!($module), "::", stringify!($name)),
                run: |table| Box::pin($module::$name(table)),
            }),+),+]
        }
    };
}

cases! {
    items:
        an_absent_item_is_none, every_field_comes_back, versions_count_the_writes, absent_is_written_once,
        a_version_must_match_exactly, a_write_replaces_the_whole_item, deletes_follow_their_expectation,
        creating_again_starts_over, tables_are_separate, keys_are_compared_byte_by_byte,
        get_many_answers_in_the_order_asked, put_many_writes_all_and_replaces, an_expired_item_exists_until_it_is_collected;
    queries:
        a_partition_comes_in_byte_order, every_limit_pages_through_everything, bounds_are_half_open,
        a_prefix_selects_what_begins_with_it, only_the_partition_is_read, an_empty_partition_is_an_empty_page,
        a_cursor_survives_the_deletion_of_its_item, a_cursor_is_valid_for_its_query_only,
        large_items_come_page_by_page, what_was_written_is_queried_at_once;
    indexes:
        an_index_comes_in_byte_order, items_that_share_an_index_key_all_come, bounds_hold_in_an_index,
        rewriting_moves_an_item_in_its_indexes, deleting_removes_an_item_from_its_indexes,
        indexes_are_separate, an_index_cursor_is_valid_for_its_query_only;
    transactions:
        all_operations_happen, one_conflict_at_any_place_undoes_all, each_kind_of_operation_can_conflict,
        checks_write_nothing, main_and_vault_may_be_mixed, audit_stands_alone, an_empty_transaction_does_nothing;
    counters:
        a_counter_adds_up, counters_are_no_items, counters_of_different_keys_are_separate,
        an_expired_counter_starts_again, a_live_counter_keeps_its_expiry, a_counter_without_expiry_stays;
    limits:
        empty_key_parts_are_refused, long_key_parts_are_refused, an_item_has_at_most_400_kb,
        a_batch_read_has_at_most_100_keys, a_transaction_has_at_most_100_operations,
        a_transaction_names_a_key_once, a_limit_of_zero_is_refused;
    concurrency:
        one_of_many_creators_wins, one_of_many_writers_of_a_version_wins, concurrent_additions_all_count,
        one_of_many_transactions_wins, retried_updates_are_never_lost, transactions_are_never_seen_half_done;
}

/// A key in a partition that only this case uses.
pub(crate) fn key(case: &str, sort: impl std::fmt::Display) -> Key {
    Key::new(case, sort.to_string())
}

pub(crate) fn item(case: &str, sort: impl std::fmt::Display) -> Item {
    Item::new(key(case, &sort), format!("body of {sort}"))
}

/// Reads a query to its end and checks what every page promises.
pub(crate) async fn all(table: &Arc<dyn Table>, query: &Query) -> Vec<Item> {
    let mut items = Vec::new();
    let mut query = query.clone();
    for _ in 0..10_000 {
        let page = table.query(&query).await.expect("a page");
        assert!(
            page.items.len() <= query.limit,
            "a page of {} for a limit of {}",
            page.items.len(),
            query.limit
        );
        items.extend(page.items);
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return items,
        }
    }
    panic!("the pages have no end");
}

pub(crate) async fn sorts(table: &Arc<dyn Table>, query: &Query) -> Vec<String> {
    all(table, query).await.into_iter().map(|item| item.key.sort).collect()
}

/// Reads an index until it shows what is expected: it may lag behind.
pub(crate) async fn eventually(table: &Arc<dyn Table>, query: &Query, expected: &[String]) {
    let deadline = tokio::time::Instant::now() + INDEX_LAG;
    loop {
        let found = sorts(table, query).await;
        if found == expected {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{query:?}: {found:?} instead of {expected:?}");
        // There is no event for an index that has caught up.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn assert_invalid<T: std::fmt::Debug>(result: Result<T, StoreError>, what: &str) {
    assert!(matches!(result, Err(StoreError::Invalid(_))), "{what}: {result:?}");
}
