//! What connections add to what a call costs in requests to AWS (infra/COST.md reckons with these numbers).

use alter_api_types::AppId;
use alter_domain::{
    flow::authenticate_operator,
    inject::CredentialFields,
    model::{
        ACCESS_TOKEN, ClientSecret, ConfiguredScopes, Connection, ConnectionState, Grant, GrantPolicy,
        GrantSource, GrantState, Principal, ProviderConfig, ProviderState, REFRESH_TOKEN, TokenFacts,
    },
    oauth::{AccountInfo, Values, delivery},
    repo::{Connections, ProviderConfigs},
    secret::Secret,
    state::Sealer,
};
use alter_tests::toy_provider;
use jiff::SignedDuration;

use crate::{
    calls::{TOKEN, World, count, rounds},
    support::{RANDOM, Sent},
};

fn fields<const N: usize>(pairs: [(&str, &str); N]) -> CredentialFields {
    let pairs = pairs.map(|(name, value)| (name, Secret::new(value.to_owned())));
    CredentialFields::from_pairs(pairs, &[]).unwrap()
}

/// A grant on a connection whose access token has this many seconds left.
async fn connect(world: &World, seconds_left: i64) -> String {
    let account = world.account();
    let ports = account.ports().unwrap();
    let org_id = authenticate_operator(&ports, &format!("alter_pat_{RANDOM}")).await.unwrap().org_id;
    let app_id: AppId = world.app.parse().unwrap();
    let sealer = Sealer::new(account.data_keys().unwrap());
    let now = ports.clock.now();
    let definition = toy_provider("https://provider.example.com", "api.example.com");
    let secret = ClientSecret { credential_id: ports.new_id().unwrap(), seal_version: 1, rotated_at: now };
    let config = ProviderConfig {
        app_id,
        provider_id: "toy".to_owned(),
        custom: Some(Box::new(serde_json::from_value(definition).unwrap())),
        client_id: "client".to_owned(),
        secret: Some(secret),
        values: Values::default(),
        scopes: ConfiguredScopes::default(),
        state: ProviderState::Enabled,
        created_at: now,
        updated_at: now,
    };
    let proof = fields([("client_secret", "s3cret-of-the-client")]);
    let place = (secret.credential_id, 1);
    let sealed = sealer.seal_credential(&ports, org_id, app_id, place, &proof).await.unwrap();
    ProviderConfigs(ports.table.as_ref()).create(&config, Some(&sealed)).await.unwrap();
    let connection = Connection {
        id: ports.new_id().unwrap(),
        org_id,
        app_id,
        provider_id: "toy".to_owned(),
        principal: Principal::System,
        account: Some(AccountInfo {
            identifier: "ada".to_owned(),
            key: Some("ada".to_owned()),
            display_name: None,
            email: None,
        }),
        values: Values::default(),
        scopes: Vec::new(),
        delivery: delivery(config.definition().unwrap(), &config.values, &config.client_id).unwrap(),
        credential_id: ports.new_id().unwrap(),
        seal_version: 1,
        tokens: TokenFacts {
            obtained_at: now.checked_sub(SignedDuration::from_hours(1)).unwrap(),
            expires_at: Some(now.checked_add(SignedDuration::from_secs(seconds_left)).unwrap()),
            refreshable: true,
            refresh_expires_at: None,
            refused: false,
        },
        lease: None,
        state: ConnectionState::Active,
        live_grants: 1,
        created_at: now,
    };
    let grant = Grant {
        id: ports.new_id().unwrap(),
        app_id,
        source: GrantSource::OAuth { connection_id: connection.id },
        credential_id: connection.credential_id,
        provider_id: "toy".to_owned(),
        principal: Principal::System,
        label: None,
        policy: GrantPolicy::default(),
        state: GrantState::Active,
        created_at: now,
    };
    let tokens = fields([(ACCESS_TOKEN, TOKEN), (REFRESH_TOKEN, "canary-refresh")]);
    let place = (connection.credential_id, 1);
    let sealed = sealer.seal_credential(&ports, org_id, app_id, place, &tokens).await.unwrap();
    assert!(Connections(ports.table.as_ref()).create(&connection, &sealed, &grant, None).await.unwrap());
    grant.id.to_string()
}

fn operations(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(|one| one.operation.as_str()).collect()
}

#[tokio::test]
async fn a_warm_call_through_a_connection_costs_what_one_with_a_managed_secret_costs() {
    let world = World::new().await;
    let grant = connect(&world, 3600).await;
    let instance = world.instance();
    world.call_with(&grant, &instance, false).await;
    let warm = world.call_with(&grant, &instance, false).await;
    assert_eq!(warm.len(), 4, "{:?}", operations(&warm));
    assert_eq!(count(&warm, "BatchGetItem"), 1, "{:?}", operations(&warm));
    assert_eq!(count(&warm, "PutItem"), 1, "{:?}", operations(&warm));
    assert_eq!(count(&warm, "SendMessage"), 2, "{:?}", operations(&warm));
    assert_eq!(rounds(&warm), 3, "{warm:?}");
}

/// Beside what a cold call costs: a look at the connection and its tokens, the client's secret, a data key to seal with, the
/// claim, the store, and two events. No request holds a token.
#[tokio::test]
async fn a_refresh_costs_what_the_page_on_costs_says() {
    let world = World::new().await;
    let grant = connect(&world, -1).await;
    let instance = world.instance();
    let renewing = world.call_with(&grant, &instance, false).await;
    let after = world.call_with(&grant, &instance, false).await;
    assert_eq!(after.len(), 4, "{:?}", operations(&after));
    let operations = operations(&renewing);
    let cold = [("BatchGetItem", 2), ("PutItem", 1), ("SendMessage", 2), ("Decrypt", 1)];
    let added = [
        ("BatchGetItem", 1),
        ("GetItem", 1),
        ("GenerateDataKey", 1),
        ("TransactWriteItems", 2),
        ("SendMessage", 2),
    ];
    assert_eq!(
        operations.len(),
        cold.iter().chain(&added).map(|(_, times)| times).sum::<usize>(),
        "{operations:?}"
    );
    for (operation, _) in added {
        let times: usize =
            cold.iter().chain(&added).filter(|(name, _)| *name == operation).map(|(_, times)| times).sum();
        assert_eq!(count(&renewing, operation), times, "{operations:?}");
    }
    let written: Vec<_> = renewing
        .iter()
        .filter(|one| one.operation == "TransactWriteItems")
        .map(|one| one.body["TransactItems"].as_array().unwrap().len())
        .collect();
    // The connection; then the connection and its tokens.
    assert_eq!(written, [1, 2]);
    for sent in &renewing {
        let text = sent.body.to_string();
        assert!(!text.contains("canary") && !text.contains("s3cret"), "{}", sent.operation);
    }
}
