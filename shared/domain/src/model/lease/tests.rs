use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::model::Receipt;

/// A connection whose token of an hour was given at second 0.
pub(crate) fn a_connection() -> Connection {
    let id = Uuid::from_u128(1);
    serde_json::from_value(json!({
        "id": id, "org_id": id, "app_id": id, "provider_id": "toy",
        "principal": { "type": "system" },
        "scopes": ["read"],
        "delivery": { "injection": crate::inject::Injection::bearer(), "allowed_hosts": [] },
        "credential_id": id, "seal_version": 7,
        "tokens": { "obtained_at": second(0), "expires_at": second(3600), "refreshable": true },
        "state": { "state": "active" }, "live_grants": 1, "created_at": second(0),
    }))
    .unwrap()
}

pub(crate) fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

const LENGTH: SignedDuration = SignedDuration::from_secs(25);

fn holder(n: u128) -> LeaseId {
    Uuid::from_u128(n).into()
}

fn taken(connection: &Connection, by: u128, at: i64) -> (Connection, Attempt) {
    let Claim::Take(leased) = connection.claim(holder(by), second(at), LENGTH) else {
        panic!("the lease is free")
    };
    let sent_before = connection.sent_before();
    (*leased, Attempt { holder: holder(by), seal_version: connection.seal_version, sent_before })
}

fn rotating(grace: Grace) -> Refresh {
    Refresh {
        kind: RefreshKind::RefreshToken,
        rotation: RefreshTokenRotation::Always,
        grace,
        ..Refresh::default()
    }
}

fn new_facts() -> TokenFacts {
    TokenFacts { obtained_at: second(5), expires_at: Some(second(3605)), ..a_connection().tokens }
}

#[test]
fn a_lease_is_one_holders_until_its_time_is_over() {
    let (leased, attempt) = taken(&a_connection(), 1, 0);
    assert!(leased.is_leased_by(&attempt));
    for at in [0, 24] {
        assert_eq!(leased.claim(holder(2), second(at), LENGTH), Claim::Wait(second(25)));
    }
    let (second_lease, other) = taken(&leased, 2, 25);
    assert!(!second_lease.is_leased_by(&attempt));
    let lease = second_lease.lease.unwrap();
    assert_eq!((lease.first_sent_at, lease.attempts), (Some(second(0)), 2), "it knows of the first");
    assert_eq!(other.sent_before, Some(second(0)));
}

#[test]
fn nothing_is_claimed_where_there_is_nothing_to_refresh() {
    let revoked = a_connection().drop_grant(second(0), Receipt::NotSupported).0;
    let (leased, attempt) = taken(&a_connection(), 1, 0);
    let broken = leased.break_off(&attempt, "invalid_grant".to_owned(), second(1)).unwrap();
    let mut bare = a_connection();
    bare.tokens.refreshable = false;
    for connection in [revoked, broken, bare] {
        assert_eq!(connection.claim(holder(2), second(9), LENGTH), Claim::Nothing);
    }
}

#[test]
fn what_was_surely_not_used_leaves_no_trace_of_having_been_sent() {
    let (leased, attempt) = taken(&a_connection(), 1, 0);
    let free = leased.release(&attempt, Ended::Unused, &rotating(Grace::None), second(1)).unwrap();
    assert_eq!(free.sent_before(), None);
    let (leased, _) = taken(&free, 2, 1);
    assert_eq!(leased.lease.unwrap().first_sent_at, Some(second(1)));
    // Nor does it wipe out what an earlier holder did.
    let (leased, attempt) = taken(&leased, 3, 26);
    let free = leased.release(&attempt, Ended::Unused, &rotating(Grace::None), second(27)).unwrap();
    assert_eq!(free.sent_before(), Some(second(1)));
}

#[test]
fn after_an_unknown_end_the_lease_is_given_back_only_where_sending_again_is_safe() {
    let never = Refresh { rotation: RefreshTokenRotation::Never, ..rotating(Grace::None) };
    let assertion = Refresh { kind: RefreshKind::Assertion, ..rotating(Grace::None) };
    let cases = [
        (rotating(Grace::None), 15, false),
        (Refresh { rotation: RefreshTokenRotation::Sometimes, ..rotating(Grace::None) }, 15, false),
        (rotating(Grace::Seconds(30)), 15, true),
        (rotating(Grace::Seconds(15)), 15, false),
        (rotating(Grace::UntilSuccessorUsed), 15, true),
        (rotating(Grace::Always), 15, true),
        (never, 15, true),
        (assertion, 15, true),
    ];
    for (refresh, at, back) in cases {
        let (leased, attempt) = taken(&a_connection(), 1, 0);
        let released = leased.release(&attempt, Ended::Unknown, &refresh, second(at));
        assert_eq!(released.is_some(), back, "{refresh:?}");
        if let Some(released) = released {
            assert_eq!(released.sent_before(), Some(second(0)), "the next holder knows");
            taken(&released, 2, at);
        }
    }
}

#[test]
fn only_the_holder_gives_back_or_breaks() {
    let (leased, slow) = taken(&a_connection(), 1, 0);
    let (other, _) = taken(&leased, 2, 25);
    let refresh = rotating(Grace::Always);
    assert_eq!(other.clone().release(&slow, Ended::Unused, &refresh, second(26)), None);
    assert_eq!(other.break_off(&slow, "invalid_grant".to_owned(), second(26)), None);
}

fn put(connection: Connection, attempt: &Attempt, at: i64) -> Connection {
    match connection.deposit(attempt, new_facts(), None, second(at), LENGTH) {
        Deposit::Put(next) => *next,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pair_that_comes_late_is_taken_unless_a_newer_one_is_there() {
    let (leased, slow) = taken(&a_connection(), 1, 0);
    let (other, attempt) = taken(&leased, 2, 25);
    let broken = other.clone().break_off(&attempt, "invalid_grant".to_owned(), second(26)).unwrap();
    for connection in [leased, other, broken] {
        let next = put(connection, &slow, 30);
        assert_eq!((next.seal_version, &next.state), (8, &ConnectionState::Active));
        assert_eq!((next.tokens, &next.scopes[..]), (new_facts(), &["read".to_owned()][..]));
        let again = next.deposit(&attempt, new_facts(), None, second(31), LENGTH);
        assert_eq!(again, Deposit::Superseded);
    }
    let revoked = a_connection().drop_grant(second(1), Receipt::Pending).0;
    assert_eq!(revoked.deposit(&slow, new_facts(), None, second(2), LENGTH), Deposit::Orphaned);
}

#[test]
fn new_tokens_rest_where_the_old_one_may_still_be_on_its_way() {
    let (leased, slow) = taken(&a_connection(), 1, 0);
    assert_eq!(put(leased.clone(), &slow, 5).lease, None, "nobody else has sent it");
    let (other, second_try) = taken(&leased, 2, 25);
    for (connection, attempt) in [(&other, &slow), (&other, &second_try)] {
        let next = put(connection.clone(), attempt, 30);
        assert_eq!(next.claim(holder(3), second(54), LENGTH), Claim::Wait(second(55)));
        assert!(next.is_resting(second(54)) && !next.is_resting(second(55)));
        let lease = taken(&next, 3, 55).0.lease.unwrap();
        assert_eq!((lease.first_sent_at, lease.attempts), (Some(second(55)), 1), "the new one is new");
    }
}

#[test]
fn scopes_are_those_of_the_reply() {
    let (leased, attempt) = taken(&a_connection(), 1, 0);
    let scopes = Some(vec!["write".to_owned()]);
    let Deposit::Put(next) = leased.deposit(&attempt, new_facts(), scopes, second(1), LENGTH) else {
        panic!("nothing is in the way")
    };
    assert_eq!(next.scopes, ["write"]);
}

#[test]
fn a_refusal_marks_the_token_that_was_refused_and_no_other() {
    let Refusal::Put(marked) = a_connection().refuse(7, second(60)) else { panic!("old enough") };
    assert!(marked.tokens.refused);
    assert_eq!(marked.refuse(7, second(61)), Refusal::Known);
    assert_eq!(a_connection().refuse(6, second(61)), Refusal::Known, "a newer token is there");
    assert_eq!(a_connection().refuse(7, second(59)), Refusal::Useless, "it was just given");
    let mut bare = a_connection();
    bare.tokens.refreshable = false;
    assert_eq!(bare.refuse(7, second(61)), Refusal::Useless);
}

#[test]
fn what_cannot_be_refreshed_breaks_when_it_has_expired() {
    let mut bare = a_connection();
    bare.tokens.refreshable = false;
    assert_eq!(bare.clone().expire(second(3599)), None);
    let broken = bare.expire(second(3600)).unwrap();
    assert_eq!(broken.state, ConnectionState::Broken { at: second(3600), code: EXPIRED.to_owned() });
    assert_eq!(a_connection().expire(second(9999)), None);
}

#[test]
fn refreshes_that_nobody_waits_for_rest_longer_after_each_failure() {
    let refresh = rotating(Grace::Always);
    let (leased, attempt) = taken(&a_connection(), 1, 0);
    assert!(leased.is_resting(second(24)));
    let once = leased.release(&attempt, Ended::Unknown, &refresh, second(1)).unwrap();
    assert!(once.is_resting(second(5)) && !once.is_resting(second(6)));
    let (leased, attempt) = taken(&once, 2, 6);
    let twice = leased.release(&attempt, Ended::Unknown, &refresh, second(7)).unwrap();
    assert!(twice.is_resting(second(16)) && !twice.is_resting(second(17)));
    assert!(!a_connection().is_resting(second(0)));
}
