//! What the Wallet's page reads, beside a single read of the store: somebody with ten grants and a record of 100,000 rows.

use std::{net::SocketAddr, path::Path};

use alter_adapter_local::{Durability as Local, SqliteTable, TableOptions};
use alter_api_types::{GrantId, OrgId, UserId, WalletSessionId};
use alter_domain::{
    flow::wallet::{WalletCookie, logo_path},
    model::{
        Actor, AuditEvent, CallFacts, Connection, EventKind, Grant, GrantRef, GrantSource, Logo, Outcome,
        OutcomeKind, Phase, Principal, ProviderConfig, Surface, WalletSession,
    },
    port::{Clock as _, Record, Rng as _, SystemClock, SystemRng, Table},
    repo::{Apps, AuditRows, Connections, Grants, IdentityProviders, Orgs, ProviderConfigs, WalletSessions},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::{
    Failure,
    args::Options,
    gateway,
    issuer::{Issuer, claims},
    load::{Target, Until, closed, once},
    process::Server,
    quiet, report,
    sign::{VaultCall, Work},
    stats::{Cell, median, median_cell},
    vault::{Access, Durability, Vault, data_directory, token_file},
};

/// Grants on connections, and as many on a managed secret.
const GRANTS: usize = 5;
const ROWS: u32 = 100_000;
/// What a page of the Wallet's may take, in single reads.
const TARGET: f64 = 3.0;
/// One pixel.
const LOGO: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let binary = options.vault.as_deref().ok_or("--vault is needed")?;
    let (_upstream, upstream) = Server::own(&["upstream"])?;
    let data = data_directory()?;
    let known = furnish(&Vault::start(binary, data.path(), Durability::Process)?, data.path(), upstream)?;
    eprintln!("writing {ROWS} rows");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seen = runtime.block_on(seed(data.path(), &known))?;
    let vault = Vault::start(binary, data.path(), Durability::Process)?;
    let targets = pages(vault.address, &seen)?;
    println!(
        "{}\n| page | p50 / p99 µs at 1 | bytes | p50 ÷ a single read |\n|---|---|---|---|",
        report::machine()
    );
    let mut cells: Vec<Vec<Cell>> = vec![Vec::new(); targets.len()];
    for (_, target, _) in &targets {
        closed(target, 1, Until::Calls(200))?;
    }
    for _ in 0..options.rounds {
        for ((_, target, _), cells) in targets.iter().zip(&mut cells) {
            quiet::settle(vault.server.id())?;
            cells.push(closed(target, 1, Until::Elapsed(options.window))?);
        }
    }
    let single = cells.first().cloned().unwrap_or_default();
    for ((name, _, bytes), cells) in targets.iter().zip(&cells) {
        let cell = median_cell(cells);
        let ratio = median(single.iter().zip(cells).map(|(single, cell)| cell.p50 / single.p50));
        let verdict = if ratio <= TARGET { "" } else { " (over)" };
        println!("| {name} | {:.0} / {:.0} | {bytes} | {ratio:.2}{verdict} |", cell.p50, cell.p99);
    }
    println!("\ntarget: at most {TARGET:.2}");
    Ok(())
}

/// What the running vault was told.
struct Known {
    access: Access,
    user: UserId,
}

/// What somebody's browser asks with.
struct Seen {
    cookie: HeaderValue,
    grant: GrantId,
    logo: String,
}

/// An app with an identity provider, and a user of it who has grants on a managed secret.
fn furnish(vault: &Vault, data: &Path, upstream: SocketAddr) -> Result<Known, Failure> {
    let access = vault.set_up(data, upstream)?;
    let operator = std::fs::read_to_string(token_file(data))?.trim().to_owned();
    let app = access.app;
    let grant = access.grants.first().ok_or("no grant")?;
    let grant = gateway::get(vault.address, &format!("/portal/v1/apps/{app}/grants/{grant}"), &operator)?;
    let secret = gateway::text(&grant, "/secret_id")?;
    let issuer = Issuer::new()?;
    let at = issuer.serve()?;
    let path = format!("/portal/v1/apps/{app}/identity-provider");
    gateway::post(vault.address, &path, &operator, &json!({ "issuer": at }))?;
    // The first token makes its user known; there is nothing for them yet.
    let token = issuer.token("ES256", &claims(&at, "ada", SystemClock.now().as_second(), 0))?;
    let ask = json!({ "provider_id": "nothing", "user_token": token });
    let call = VaultCall::asking(&access.key, &[ask], &format!("http://{upstream}"))?;
    once(&Target { address: vault.address, work: Work::Vault(call.into()) })?;
    let users = gateway::get(vault.address, &format!("/portal/v1/apps/{app}/users"), &operator)?;
    let user = gateway::text(&users, "/items/0/user_id")?;
    for number in 0..GRANTS {
        let principal = json!({ "type": "user", "user_id": user });
        let body = json!({ "secret_id": secret, "principal": principal, "label": format!("grant {number}") });
        gateway::post(vault.address, &format!("/portal/v1/apps/{app}/grants"), &operator, &body)?;
    }
    Ok(Known { access, user: user.parse().map_err(|_| "no user id")? })
}

/// Writes what would take long to come by: a session, connections, a logo and a long record. The vault is not running.
async fn seed(data: &Path, known: &Known) -> Result<Seen, Failure> {
    let options = TableOptions { durability: Local::Process, ..TableOptions::default() };
    let table = SqliteTable::open(data, options)?;
    let table: &dyn Table = &table;
    let org = Orgs(table).installed().await?.ok_or("no organization")?;
    let now = SystemClock.now();
    let cookie = session(table, known, org, now).await?;
    let grants = connections(table, known, org, now).await?;
    let mut rows = 0..ROWS;
    loop {
        let batch: Vec<Record> = rows
            .by_ref()
            .take(1000)
            .map(|number| call(known, org, &grants, now, number))
            .collect::<Result<_, _>>()?;
        if batch.is_empty() {
            break;
        }
        if !AuditRows(table).write(&batch).await.failed.is_empty() {
            return Err("rows were not stored".into());
        }
    }
    let picture = Logo::parse(STANDARD.decode(LOGO)?.into())?;
    let mut app = Apps(table).get(org, known.access.app).await?;
    app.value.branding.logo = Some(picture.to_ref());
    Apps(table).update_logo(&app, Some(&picture)).await?;
    let grant = grants.first().ok_or("no grant")?.id;
    Ok(Seen { cookie, grant, logo: logo_path(known.access.app, &picture.to_ref()) })
}

async fn session(
    table: &dyn Table,
    known: &Known,
    org: OrgId,
    now: Timestamp,
) -> Result<HeaderValue, Failure> {
    let idp = IdentityProviders(table).find(known.access.app).await?.ok_or("no identity provider")?.value;
    let mut secret = [0; 32];
    SystemRng::new().fill(&mut secret)?;
    let id: WalletSessionId = id_at(now, 1);
    let session = WalletSession {
        id,
        org_id: org,
        app_id: known.access.app,
        idp_id: idp.id,
        user_id: known.user,
        issuer: idp.issuer,
        sub: "ada".to_owned(),
        browser: hex(digest(&SHA256, &secret).as_ref()),
        issued_at: now.as_second(),
        created_at: now,
        used_at: now,
    };
    WalletSessions(table).create(&session, None).await?;
    let ids = [id.as_bytes(), known.user.as_bytes(), known.access.app.as_bytes()];
    let ids: Vec<u8> = ids.into_iter().flatten().copied().collect();
    let text = URL_SAFE_NO_PAD.encode([ids, secret.to_vec()].concat());
    WalletCookie::parse(&text).ok_or("no cookie")?;
    Ok(HeaderValue::try_from(format!("alter_wallet={text}"))?)
}

async fn connections(
    table: &dyn Table,
    known: &Known,
    org: OrgId,
    now: Timestamp,
) -> Result<Vec<Grant>, Failure> {
    let app = known.access.app;
    let config: ProviderConfig = serde_json::from_value(json!({
        "app_id": app, "provider_id": "github", "client_id": "client", "scopes": { "allowed": ["repo"], "default": ["repo"] },
        "state": { "state": "enabled" }, "created_at": now, "updated_at": now,
    }))?;
    ProviderConfigs(table).create(&config, None).await?;
    let mut grants = Vec::new();
    for number in 0..u32::try_from(GRANTS)? {
        let connection: Connection = serde_json::from_value(json!({
            "id": id_at::<GrantId>(now, number), "org_id": org, "app_id": app, "provider_id": "github",
            "principal": Principal::User { user_id: known.user }, "scopes": ["repo", "read:user"],
            "account": { "identifier": format!("ada-{number}"), "key": format!("ada-{number}"), "display_name": "Ada Lovelace" },
            "delivery": { "injection": alter_domain::inject::Injection::bearer(), "allowed_hosts": ["api.github.com"] },
            "credential_id": id_at::<GrantId>(now, number), "seal_version": 1,
            "tokens": { "obtained_at": now, "refreshable": false },
            "state": { "state": "active" }, "live_grants": 1, "created_at": now,
        }))?;
        let grant = Grant {
            id: id_at(now, 100 + number),
            app_id: app,
            source: GrantSource::OAuth { connection_id: connection.id },
            credential_id: connection.credential_id,
            provider_id: connection.provider_id.clone(),
            principal: connection.principal.clone(),
            label: None,
            policy: serde_json::from_value(json!({}))?,
            state: serde_json::from_value(json!({ "state": "active" }))?,
            created_at: now,
        };
        let mut ops = Grants::create_ops(&grant)?;
        ops.push(Connections::create_ended_op(&connection)?);
        table.transact(ops).await?;
        grants.push(grant);
    }
    Ok(grants)
}

/// A call so long ago, with one of the grants: forty a day or so.
fn call(known: &Known, org: OrgId, grants: &[Grant], now: Timestamp, number: u32) -> Result<Record, Failure> {
    let at = now.checked_sub(SignedDuration::from_secs(300 * i64::from(number + 1)))?;
    let grant = grants.iter().cycle().nth(number as usize % GRANTS).ok_or("no grant")?;
    let event = AuditEvent {
        id: id_at(at, number),
        org_id: org,
        app_id: Some(known.access.app),
        at,
        kind: EventKind::Call,
        phase: Phase::Final,
        actor: Actor { key_prefix: Some("alter_key_app_0123456789ab".to_owned()), ..Actor::of_vault() },
        surface: Some(Surface::Sdk),
        grant: Some(GrantRef::from(grant)),
        user_id: None,
        call: Some(CallFacts {
            method: "GET".to_owned(),
            host: "api.github.com".to_owned(),
            path: format!("/repos/ada/engine/issues/{number}"),
            provider_id: None,
            reason: Some("To list what is still open before the weekly meeting".to_owned()),
            context: std::collections::BTreeMap::new(),
            traceparent: None,
        }),
        outcome: Some(Outcome {
            status: Some(200),
            latency_ms: Some(120),
            request_bytes: Some(0),
            response_bytes: Some(5_120),
            ..Outcome::of(if number.is_multiple_of(20) {
                OutcomeKind::ProviderError
            } else {
                OutcomeKind::Success
            })
        }),
        detail: std::collections::BTreeMap::new(),
    };
    Ok(event.encode()?)
}

/// What is read, a single item of the store first, and how long each answer is.
fn pages(address: SocketAddr, seen: &Seen) -> Result<Vec<(&'static str, Target, usize)>, Failure> {
    let grant = seen.grant;
    let paths = [
        ("one read of the store: a logo", seen.logo.clone()),
        ("session", "/wallet/api/session".to_owned()),
        ("overview, 10 grants", "/wallet/api/overview".to_owned()),
        ("grant", format!("/wallet/api/grants/{grant}")),
        ("activity, 50 rows", "/wallet/api/activity?limit=50".to_owned()),
        ("history of a grant, 50 rows", format!("/wallet/api/activity?limit=50&grant_id={grant}")),
        ("activity, a word in 50 rows", "/wallet/api/activity?limit=50&q=WEEKLY".to_owned()),
        ("activity, a word in none", "/wallet/api/activity?limit=50&q=nowhere".to_owned()),
        ("counts of 5,000 rows", "/wallet/api/activity/counts".to_owned()),
    ];
    let mut targets = Vec::new();
    for (name, path) in paths {
        let cookie = (path != seen.logo).then(|| seen.cookie.clone());
        let target = Target { address, work: Work::Page { path: path.parse()?, cookie } };
        let (status, body) = once(&target)?;
        if status != 200 {
            return Err(format!("{path} answered {status}: {}", String::from_utf8_lossy(&body)).into());
        }
        targets.push((name, target, body.len()));
    }
    Ok(targets)
}

/// A UUIDv7 of that moment.
fn id_at<T: From<uuid::Uuid>>(at: Timestamp, number: u32) -> T {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or_default();
    let mut random = [0; 10];
    if let Some(tail) = random.get_mut(6..) {
        tail.copy_from_slice(&number.to_be_bytes());
    }
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
