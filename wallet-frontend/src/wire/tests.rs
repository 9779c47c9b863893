use alter_api_types::wallet::{ActivityPage, ActivityRow};
use serde::Serialize;
use serde_json::json;

use super::*;

const ID: &str = "0198c2f4-7b1e-7c3a-9d52-000000000001";

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>() -> T {
    ID.parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Written as the server writes it and read as the page does.
fn round<T: Serialize + PartialEq + std::fmt::Debug>(value: &T, read: fn(&Json<'_>) -> Read<T>) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(read(&crate::json::parse(&text).unwrap()).as_ref(), Ok(value), "{text}");
}

fn an_app() -> AppCard {
    AppCard {
        app_id: id(),
        name: "Trips \"\u{e9}\"".into(),
        description: Some("It plans.".into()),
        website_url: None,
        branding: Branding {
            logo_url: Some("/wallet/api/logos/a/b".into()),
            color: None,
            color_dark: Some("#fff".into()),
        },
    }
}

fn an_agent() -> AgentCard {
    AgentCard { agent_id: id(), app_id: id(), name: "a".into(), display_name: None, active: true }
}

fn bare() -> GrantCard {
    GrantCard {
        grant_id: id(),
        app_id: id(),
        provider_id: "google".into(),
        provider_name: "Google".into(),
        kind: GrantKind::ManagedSecret,
        connection_id: None,
        holder: Holder::You,
        label: None,
        account: None,
        scopes: vec![],
        status: GrantStatus::Active,
        reconnect: None,
        created_at: at(1_763_000_000),
        expires_at: None,
        last_used_at: None,
        agent_ids: vec![],
        may_revoke: false,
        extendable_to: None,
        ended: None,
    }
}

fn full() -> GrantCard {
    GrantCard {
        kind: GrantKind::Oauth,
        connection_id: Some(id()),
        holder: Holder::Agent { agent_id: id() },
        label: Some("work".into()),
        account: Some(Account { identifier: "a@b.example".into(), display_name: Some("A".into()) }),
        scopes: vec![
            ScopeCard { scope: "s".into(), words: Some("read".into()) },
            ScopeCard { scope: "t".into(), words: None },
        ],
        status: GrantStatus::Revoked,
        reconnect: Some(Reconnect { since: Some(at(7)), cause: "invalid_grant".into() }),
        expires_at: Some(at(9)),
        last_used_at: Some(at(10)),
        agent_ids: vec![id()],
        may_revoke: true,
        extendable_to: Some(at(11)),
        ended: Some(Ended {
            at: at(12),
            from: Surface::Wallet,
            reason: Some("left".into()),
            tokens_deleted: true,
            provider_revocation: Some(ProviderRevocation {
                status: RevocationStatus::Failed,
                at: Some(at(13)),
                reason: Some("500".into()),
            }),
        }),
        ..bare()
    }
}

#[test]
fn every_answer_is_read_as_the_server_means_it() {
    round(&bare(), grant);
    round(&full(), grant);
    let now = at(1_763_000_123);
    round(
        &Overview {
            user_id: id(),
            apps: vec![an_app()],
            agents: vec![an_agent()],
            grants: vec![bare(), full()],
            truncated: true,
            pending_approvals: 3,
            now,
        },
        overview,
    );
    let mut one = GrantDetail {
        app: an_app(),
        grant: full(),
        siblings: vec![bare()],
        agents: vec![an_agent()],
        support_email: None,
        now,
    };
    round(&one, detail);
    one.support_email = Some("help@acme.example".into());
    round(&one, detail);
    round(&RevokeReceipt { grant: full(), ended_with_it: vec![id()] }, receipt);
    round(&SignInOptions { app: None, apps: vec![an_app()] }, sign_in_options);
    round(&SignInOptions { app: Some(an_app()), apps: vec![] }, sign_in_options);
    round(&SignedOut { location: "/sign-in".into() }, signed_out);
    let who = SessionView {
        user_id: id(),
        name: None,
        email: Some("a@b.example".into()),
        subject: "s".into(),
        issuer: "https://idp.example".into(),
        app: an_app(),
        csrf_token: "t".into(),
        expires_at: now,
        idle_seconds: 28_800,
    };
    round(&who, session);
    let bucket = CountBucket { at: now, calls: u32::MAX, failed: 0 };
    round(&ActivityCounts { buckets: vec![bucket], next_cursor: Some("c".into()) }, counts);
    let card = ApprovalCard {
        approval_id: "x".into(),
        app_id: id(),
        agent_id: Some(id()),
        grant_id: id(),
        provider_id: "google".into(),
        method: "POST".into(),
        url: "https://a.example/b".into(),
        payload: Some("{}".into()),
        reason: None,
        created_at: now,
        expires_at: now,
    };
    round(&Approvals { items: vec![card] }, approvals);
}

#[test]
fn every_name_that_the_server_writes_is_known() {
    for kind in [GrantKind::ManagedSecret, GrantKind::Oauth] {
        round(&GrantCard { kind, ..bare() }, grant);
    }
    for status in [GrantStatus::Active, GrantStatus::Expired, GrantStatus::Revoked] {
        round(&GrantCard { status, ..bare() }, grant);
    }
    for held in [Holder::You, Holder::Group { name: "g".into() }, Holder::Agent { agent_id: id() }] {
        round(&held, holder);
    }
    for from in
        [Surface::Sdk, Surface::Portal, Surface::Wallet, Surface::Webhook, Surface::Connect, Surface::Vault]
    {
        let end = Ended { at: at(1), from, reason: None, tokens_deleted: false, provider_revocation: None };
        round(&end, ended);
    }
    for status in [
        RevocationStatus::Pending,
        RevocationStatus::Revoked,
        RevocationStatus::NotSupported,
        RevocationStatus::Superseded,
        RevocationStatus::Failed,
    ] {
        round(&ProviderRevocation { status, at: None, reason: None }, revocation);
    }
}

#[test]
fn a_row_of_the_record_is_read_as_the_server_means_it() {
    let text = json!({
        "id": ID, "created_at": "2026-03-09T10:00:00Z", "event": "call", "outcome": "success", "app_id": ID,
        "actor_type": "app", "caller_key_id": null, "caller": "c", "agent_id": ID, "surface": "sdk", "grant_id": ID,
        "grant_label": "l", "provider_id": "p", "principal_agent_id": ID, "method": "GET", "host": "h", "path": "/p",
        "status": 200, "error_code": "e", "latency_ms": 12, "request_bytes": 5_000_000_000_u64, "response_bytes": 0,
        "truncated": false, "redacted": false, "reason": "r", "context": {"tool": "t"}, "detail": {"code": "d"},
    });
    let theirs: ActivityRow = serde_json::from_value(text).unwrap();
    let text = serde_json::to_string(&theirs).unwrap();
    let ours = row(&crate::json::parse(&text).unwrap()).unwrap();
    assert_eq!((ours.id, ours.created_at, ours.app_id), (theirs.id, theirs.created_at, theirs.app_id));
    assert_eq!(
        (ours.event, ours.outcome, ours.actor_type),
        (theirs.event, theirs.outcome, theirs.actor_type)
    );
    assert_eq!((ours.caller, ours.agent_id, ours.surface), (theirs.caller, theirs.agent_id, theirs.surface));
    assert_eq!((ours.grant_id, ours.grant_label), (theirs.grant_id, theirs.grant_label));
    assert_eq!((ours.provider_id, ours.principal_agent_id), (theirs.provider_id, theirs.principal_agent_id));
    assert_eq!((ours.method, ours.host, ours.path), (theirs.method, theirs.host, theirs.path));
    assert_eq!((ours.status, ours.error_code), (theirs.status, theirs.error_code));
    assert_eq!((ours.latency_ms, ours.request_bytes), (theirs.latency_ms, theirs.request_bytes));
    assert_eq!((ours.response_bytes, ours.reason), (theirs.response_bytes, theirs.reason));
    assert_eq!(ours.context, theirs.context.into_iter().collect::<Vec<_>>());
    assert_eq!(ours.detail, theirs.detail.into_iter().collect::<Vec<_>>());
    let page = ActivityPage { items: vec![], next_cursor: None, agents: vec![an_agent()] };
    let text = serde_json::to_string(&page).unwrap();
    let expected = Rows { items: vec![], next_cursor: None, agents: vec![an_agent()] };
    assert_eq!(rows(&crate::json::parse(&text).unwrap()), Ok(expected));
}

#[test]
fn what_is_not_the_servers_is_refused() {
    for text in ["null", "{}", "[]", r#"{"type": "you!"}"#, r#"{"type": "agent", "agent_id": "x"}"#] {
        let it = crate::json::parse(text).unwrap();
        assert!(holder(&it).is_err() && grant(&it).is_err() && overview(&it).is_err() && row(&it).is_err());
    }
}
