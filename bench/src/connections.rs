//! Does a call through an OAuth connection cost more than one with a managed secret? Both are made with one vault, in turns.

use std::{net::SocketAddr, path::Path, sync::Arc};

use alter_adapter_local::{Durability as Local, KeyFile, SqliteTable, TableOptions};
use alter_api_types::GrantId;
use alter_domain::{
    crypto::DataKeys,
    inject::CredentialFields,
    model::{
        ACCESS_TOKEN, ConfiguredScopes, Connection, ConnectionState, Grant, GrantSource, Principal,
        ProviderConfig, ProviderState, REFRESH_TOKEN, TokenFacts,
    },
    oauth::{Provider, Values, delivery},
    port::{AuditSink, NoWork, SystemClock, SystemRng, Table, TableNonces},
    repo::{Connections, Grants, Orgs, ProviderConfigs},
    secret::Secret,
    state::{Ports, Sealer},
};
use serde_json::json;

use crate::{
    Failure,
    args::Options,
    load::{Until, closed},
    process::Server,
    quiet, report,
    stats::{Cell, median, median_cell},
    vault::{Access, Durability, Vault, data_directory},
};

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let binary = options.vault.as_deref().ok_or("--vault is needed")?;
    let (_upstream, upstream) = Server::own(&["upstream"])?;
    let data = data_directory()?;
    let secret = Vault::start(binary, data.path(), Durability::Process)?.set_up(data.path(), upstream)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let grant = runtime.block_on(connect(data.path(), &secret, upstream))?;
    let connection = Access { key: secret.key.clone(), app: secret.app, grants: vec![grant.to_string()] };
    let vault = Vault::start(binary, data.path(), Durability::Process)?;
    let targets = [vault.target(&secret, upstream)?, vault.target(&connection, upstream)?];
    println!(
        "{}\n| connections | managed secret, p50 µs / calls per s | OAuth connection | p50 ÷ | calls ÷ |",
        report::machine()
    );
    println!("|---|---|---|---|---|");
    for connections in &options.connections {
        let mut cells: [Vec<Cell>; 2] = [Vec::new(), Vec::new()];
        for target in &targets {
            closed(target, *connections, Until::Calls(2_000))?;
        }
        for _ in 0..options.rounds {
            for (target, cells) in targets.iter().zip(&mut cells) {
                quiet::settle(vault.server.id())?;
                cells.push(closed(target, *connections, Until::Elapsed(options.window))?);
            }
        }
        let [plain, connected] = &cells;
        let ratio = |of: fn(&Cell) -> f64| {
            median(plain.iter().zip(connected).map(|(plain, other)| of(other) / of(plain)))
        };
        let (one, other) = (median_cell(plain), median_cell(connected));
        println!(
            "| {connections} | {:.0} / {:.0} | {:.0} / {:.0} | {:.2} | {:.2} |",
            one.p50,
            one.rate,
            other.p50,
            other.rate,
            ratio(|cell| cell.p50),
            ratio(|cell| cell.rate)
        );
    }
    Ok(())
}

/// Writes what connecting leaves behind: a configured provider, and a connection with its tokens and grant. The vault is not
/// running.
async fn connect(data: &Path, access: &Access, upstream: SocketAddr) -> Result<GrantId, Failure> {
    let options = TableOptions { durability: Local::Process, ..TableOptions::default() };
    let table: Arc<dyn Table> = Arc::new(SqliteTable::open(data, options)?);
    let (clock, rng) = (Arc::new(SystemClock), Arc::new(SystemRng::new()));
    let key_file = KeyFile::open_or_create(&data.join("vault.key"), rng.clone())?;
    let ports = Ports {
        nonces: Arc::new(TableNonces::new(Arc::clone(&table))),
        table,
        audit: Arc::new(Nowhere),
        work: Arc::new(NoWork),
        clock: clock.clone(),
        rng,
    };
    let sealer = Sealer::new(DataKeys::new(Arc::new(key_file), clock));
    let org = Orgs(ports.table.as_ref()).installed().await?.ok_or("no organization")?;
    let first = access.grants.first().ok_or("no grant")?.parse().map_err(|_| "no grant id")?;
    let model: Grant = Grants(ports.table.as_ref()).get(access.app, first).await?.value;
    let now = ports.clock.now();
    let definition: Provider = serde_json::from_value(json!({
        "id": "bench", "name": "Bench", "category": "developer_tools", "monogram": "B",
        "docs_url": "https://example.com/",
        "authorization": { "url": "https://example.com/auth", "pkce": "required" },
        "token": { "url": "https://example.com/token", "auth": "basic" },
        "scopes": { "none": true },
        "refresh": { "kind": "refresh_token", "rotation": "always" },
        "api": { "hosts": [upstream.to_string()] },
        "evidence": { "sources": ["the bench"], "date": "2026-11", "endpoints": "low", "behaviour": "low" }
    }))?;
    let config = ProviderConfig {
        app_id: access.app,
        provider_id: definition.id.clone(),
        client_id: "bench".to_owned(),
        secret: None,
        values: Values::default(),
        scopes: ConfiguredScopes::default(),
        state: ProviderState::Enabled,
        created_at: now,
        updated_at: now,
        custom: Some(Box::new(definition.clone())),
    };
    ProviderConfigs(ports.table.as_ref()).create(&config, None).await?;
    let connection = Connection {
        id: ports.new_id()?,
        org_id: org,
        app_id: access.app,
        provider_id: config.provider_id.clone(),
        principal: Principal::System,
        account: None,
        values: Values::default(),
        scopes: Vec::new(),
        delivery: delivery(&definition, &config.values, &config.client_id)?,
        credential_id: ports.new_id()?,
        seal_version: 1,
        tokens: TokenFacts {
            obtained_at: now,
            expires_at: Some(now.checked_add(jiff::SignedDuration::from_hours(24))?),
            refreshable: true,
            refresh_expires_at: None,
            refused: false,
        },
        lease: None,
        state: ConnectionState::Active,
        live_grants: 1,
        created_at: now,
    };
    let pairs = [(ACCESS_TOKEN, "at_bench_0123456789abcdef"), (REFRESH_TOKEN, "rt_bench_0123456789abcdef")];
    let pairs = pairs.map(|(name, value)| (name, Secret::new(value.to_owned())));
    let fields = CredentialFields::from_pairs(pairs, &[])?;
    let place = (connection.credential_id, 1);
    let sealed = sealer.seal_credential(&ports, org, access.app, place, &fields).await?;
    let source = GrantSource::OAuth { connection_id: connection.id };
    let credential_id = connection.credential_id;
    let grant =
        Grant { id: ports.new_id()?, source, credential_id, provider_id: config.provider_id, ..model };
    if !Connections(ports.table.as_ref()).create(&connection, &sealed, &grant, None).await? {
        return Err("the connection exists".into());
    }
    Ok(grant.id)
}

/// Setting up past the vault leaves no rows.
struct Nowhere;

#[async_trait::async_trait]
impl AuditSink for Nowhere {
    async fn record(&self, _: alter_domain::port::Record) -> Result<(), alter_domain::port::AuditError> {
        Ok(())
    }

    async fn settle(&self) -> Result<(), alter_domain::port::AuditError> {
        Ok(())
    }
}
