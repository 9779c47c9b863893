//! Somebody leaves, and the vault is killed while it ends what they had: everything is ended, and said once, by the processes
//! that come after.

use std::{
    collections::BTreeMap,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use alter_adapter_local::{SqliteTable, TableOptions};
use alter_domain::{
    api::{AppId, IdpId, UserId},
    crypto::sha256,
    model::{
        Identity, IdentityProvider, IdpEndpoints, Membership, User, UserState, Webhook, WebhookKind,
        WebhookProof,
    },
    oidc::{ClaimNames, IdpKind},
    port::{Clock as _, SystemClock, Table},
    repo::{IdentityProviders, Orgs, Users},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    Dice,
    client::{Client, Mode, Reply},
    load::{App, text},
    provider::Provider,
    rounds,
    vault::{self, Vault},
};

/// What the identity provider's log stream brings along.
const TOKEN: &str = "alwh_0123456789";
const ISSUER: &str = "https://idp.example/";
/// Per person.
const GRANTS: usize = 200;
/// A turn of a worker that is gone, a rest before the last pass, and time to spare.
const PATIENCE: Duration = Duration::from_secs(150);

#[test]
fn who_has_left_has_nothing_whenever_the_vault_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (log, data) = (dir.path().join("log"), dir.path().join("data"));
    let provider = Provider::start();
    let mut dice = Dice::cast();
    let start = || Vault::begin(&data, "process", &log).ready();
    let vault = start();
    let app = App::create(&vault, &provider, "departures");
    vault.stop();
    let seeded = seed(&data, &app, (rounds() / 20).max(2));
    let mut vault = start();
    let people: Vec<Person> =
        seeded.users.iter().map(|user| Person::with_grants(&vault, &app, user, GRANTS)).collect();
    let mut cut_off = 0;
    for person in &people {
        // The sender repeats what was not answered.
        let mut answered = false;
        while !answered {
            let life = Duration::from_micros(dice.between(0, 200_000));
            let address = vault.address;
            answered = thread::scope(|scope| {
                let told = scope.spawn(|| person.leaves(address, seeded.idp));
                thread::sleep(life);
                vault.kill();
                told.join().unwrap()
            });
            vault = start();
        }
        let left = person.alive(&vault, &app);
        cut_off += usize::from(left > 0);
        denied_each(&vault, &app, &person.grants[..10]);
        denied_each(&vault, &app, &person.grants[GRANTS - 10..]);
    }
    finished(&vault, &app, &people);
    for person in &people {
        assert_eq!(person.alive(&vault, &app), 0);
    }
    said_once(&vault, &people);
    vault.stop();
    vault::check_log(&log);
    println!("{} departures, {cut_off} of them cut off in the middle", people.len());
    assert!(cut_off > 0, "no kill came in time to prove anything");
}

/// From the delivery's first byte to the denial of each of 100 grants. What is held is that it does not grow with the grants; the
/// times are printed.
#[test]
#[ignore = "a measurement: it wants the machine for itself"]
fn a_departure_is_answered_as_soon_for_many_grants_as_for_one() {
    const RUNS: usize = 60;
    let dir = tempfile::tempdir().unwrap();
    let (log, data) = (dir.path().join("log"), dir.path().join("data"));
    let provider = Provider::start();
    let start = || Vault::begin(&data, "process", &log).ready();
    let vault = start();
    let app = App::create(&vault, &provider, "departures");
    vault.stop();
    let seeded = seed(&data, &app, 2 * RUNS);
    let vault = start();
    let (mut few, mut many, mut denied) = (Vec::new(), Vec::new(), Vec::new());
    for (number, user) in seeded.users.iter().enumerate() {
        let grants = if number % 2 == 0 { 1 } else { 100 };
        let person = Person::with_grants(&vault, &app, user, grants);
        let begun = Instant::now();
        assert!(person.leaves(vault.address, seeded.idp));
        if grants == 1 { &mut few } else { &mut many }.push(begun.elapsed());
        thread::scope(|scope| {
            for part in person.grants.chunks(25) {
                scope.spawn(|| denied_each(&vault, &app, part));
            }
        });
        if grants > 1 {
            denied.push(begun.elapsed());
        }
    }
    vault.stop();
    for times in [&mut few, &mut many, &mut denied] {
        times.sort_unstable();
    }
    let told = |what: &str, times: &[Duration]| {
        let (median, last) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        println!("{what}: median {median:?}, p99 {last:?} of {}", times.len());
    };
    told("a delivery about somebody with 1 grant", &few);
    told("a delivery about somebody with 100 grants", &many);
    told("until each of 100 grants was seen denied", &denied);
    assert!(many[RUNS / 2] < 5 * few[RUNS / 2], "it grows with the grants");
}

fn denied_each(vault: &Vault, app: &App, grants: &[String]) {
    let mut client = Client::connect(vault.address).unwrap();
    for grant in grants {
        let request = app.call(&client, Mode::PlainKey, grant, "/departed");
        let reply = client.send(&request).unwrap();
        let denied = ["user_deprovisioned", "grant_revoked"].contains(&reply.code());
        assert!(reply.status == 403 && denied, "{reply:?}");
    }
}

struct Seeded {
    idp: IdpId,
    users: Vec<User>,
}

/// What tokens and an operator would have written, while nobody serves.
fn seed(data: &Path, app: &App, people: usize) -> Seeded {
    let app_id: AppId = app.id.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let table = SqliteTable::open(data, TableOptions::default()).unwrap();
        let org_id = Orgs(&table).installed().await.unwrap().unwrap();
        let now = SystemClock.now();
        let digest = hex::encode(sha256(TOKEN.as_bytes()));
        let webhook = Webhook { proof: WebhookProof::Token { digest }, enabled_at: now, rotated_at: now };
        let address = |path: &str| format!("{ISSUER}{path}");
        let idp = IdentityProvider {
            id: IdentityProvider::id_of(app_id, ISSUER),
            org_id,
            app_id,
            kind: IdpKind::Auth0,
            issuer: ISSUER.to_owned(),
            endpoints: IdpEndpoints {
                jwks_uri: address("jwks"),
                authorization: address("authorize"),
                token: address("token"),
                userinfo: None,
                end_session: None,
                token_auth_methods: Vec::new(),
                names_itself: false,
            },
            claims: ClaimNames::new("sub".to_owned(), None, None).unwrap(),
            audience: None,
            client: None,
            webhooks: BTreeMap::from([(WebhookKind::Auth0, webhook)]),
            first_sign_in_at: Some(now),
            created_at: now,
            updated_at: now,
        };
        IdentityProviders(&table).create(&idp).await.unwrap();
        let mut users = Vec::new();
        for number in 0..people {
            let identity = Identity {
                issuer: ISSUER.to_owned(),
                claim: "sub".to_owned(),
                subject: format!("auth0|{number}"),
            };
            let user = User {
                id: identity.user_id(org_id),
                org_id,
                sub: identity.subject.clone(),
                identity,
                email: None,
                name: None,
                profile_as_of: 0,
                state: UserState::Active,
                state_as_of: Timestamp::UNIX_EPOCH,
                tokens_valid_after: None,
                signed_out_at: None,
                reinstated_at: None,
                created_at: now,
                updated_at: now,
            };
            let membership = Membership {
                user_id: user.id,
                app_id,
                idp_id: idp.id,
                claims: alter_domain::oidc::ClaimNames::default(),
                groups: Default::default(),
                roles: Default::default(),
                as_of: 0,
                left: BTreeMap::new(),
                created_at: now,
                updated_at: now,
            };
            let mut ops = vec![Users::create_op(&user).unwrap()];
            ops.extend(Users::create_membership_ops(&membership).unwrap());
            table.transact(ops).await.unwrap();
            users.push(user);
        }
        Seeded { idp: idp.id, users }
    })
}

struct Person {
    id: UserId,
    sub: String,
    grants: Vec<String>,
}

impl Person {
    fn with_grants(vault: &Vault, app: &App, user: &User, grants: usize) -> Self {
        let mut client = Client::connect(vault.address).unwrap();
        let principal = json!({ "type": "user", "user_id": user.id });
        let mut grant = |number: usize| {
            let label = format!("{} {number}", user.sub);
            let new = json!({ "secret_id": app.secret_id, "principal": principal, "label": label });
            let made = client.operate(&vault.operator_token, "POST", &app.path("/grants"), &new).unwrap();
            text(&made["grant_id"])
        };
        Self { id: user.id, sub: user.sub.clone(), grants: (0..grants).map(&mut grant).collect() }
    }

    /// Tells the vault; says whether it answered.
    fn leaves(&self, address: std::net::SocketAddr, idp: IdpId) -> bool {
        let event = json!([{ "log_id": self.sub, "data": {
            "date": SystemClock.now(), "type": "sdu", "user_id": self.sub, "log_id": self.sub } }]);
        let token = [("authorization", TOKEN.to_owned())];
        let sent = Client::connect(address)
            .and_then(|mut client| client.post(&format!("/webhooks/{idp}/auth0"), &token, &event));
        match sent {
            Ok(Reply { status: 200, .. }) => true,
            Ok(other) => panic!("{other:?}"),
            Err(_) => false,
        }
    }

    /// How many of the grants are not revoked.
    fn alive(&self, vault: &Vault, app: &App) -> usize {
        let mut client = Client::connect(vault.address).unwrap();
        let listed = client.list(&vault.operator_token, &app.path("/grants")).unwrap();
        let states: BTreeMap<String, String> =
            listed.iter().map(|grant| (text(&grant["grant_id"]), text(&grant["status"]))).collect();
        self.grants.iter().filter(|grant| states[*grant] != "revoked").count()
    }
}

/// Waits until no departure is under way.
fn finished(vault: &Vault, app: &App, people: &[Person]) {
    let mut client = Client::connect(vault.address).unwrap();
    let until = Instant::now() + PATIENCE;
    for person in people {
        let path = app.path(&format!("/users/{}", person.id));
        while client.operate(&vault.operator_token, "GET", &path, &Value::Null).unwrap()["deprovision"]
            != Value::Null
        {
            assert!(Instant::now() < until, "the departure of {} is never done with", person.sub);
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Of each person it is said once that all is ended, and how much; and of each grant at most once that it was.
fn said_once(vault: &Vault, people: &[Person]) {
    let mut client = Client::connect(vault.address).unwrap();
    let rows = client.list_of(&vault.operator_token, "/audit", "event=user.deprovision_finished").unwrap();
    let said: BTreeMap<String, Vec<&Value>> = rows.iter().fold(BTreeMap::new(), |mut said, row| {
        said.entry(text(&row["user_id"])).or_insert_with(Vec::new).push(row);
        said
    });
    for person in people {
        let [row] = said[&person.id.to_string()][..] else { panic!("not once: {said:?}") };
        assert_eq!(row["detail"]["grants_revoked"], GRANTS.to_string(), "{row}");
    }
}
