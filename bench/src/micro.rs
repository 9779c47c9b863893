//! The parts of a call, each alone: where the microseconds are.

use std::{hint::black_box, sync::Arc, time::Instant};

use alter_api_types::{AppId, CredentialId, GrantId, Id, KeyId, OrgId, SecretId, proxy::ProxyRequest};
use alter_domain::{
    auth::{Presented, key_text},
    crypto::{DataKey, Place, SigningKey, open, seal},
    egress::{AllowedHosts, EgressRules, Target},
    flow::{Attribution, Caller},
    inject::{CredentialFields, CredentialType, Injection},
    model::{
        Grant, GrantPolicy, GrantSource, GrantState, KeyHolder, ManagedSecret, Principal, Scopes,
        SealedCredential,
    },
    policy::{Facts, InName, Owner, Source, authorize},
    port::{Clock as _, Key, KeyPurpose, SeededRng, SystemClock, TableName, WrappedKey},
    redact::Redactor,
    repo::Credentials,
    secret::Secret,
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Failure,
    sign::{Nonces, VaultCall},
    stats::median,
    tokens,
};

const BATCHES: usize = 25;
const PER_BATCH: u32 = 2_000;

pub(crate) fn run() -> Result<(), Failure> {
    println!("\n| part of a call | µs |\n|---|---|");
    authentication()?;
    envelope()?;
    decision()?;
    tokens::run()?;
    reply()
}

fn authentication() -> Result<(), Failure> {
    let key = key_text::mint_app_key(&SeededRng::new(1))?;
    let signing_key = SigningKey::derive(&key.plain);
    let call = VaultCall::new(&key.plain, &[Uuid::nil().to_string()], "https://api.example.com")?;
    let mut nonces = Nonces::new(1);
    measure("sign a call (the client's half)", || call.request(&mut nonces));

    let (head, body) = call.request(&mut nonces)?.into_parts();
    let now = SystemClock.now();
    let body = futures_util::FutureExt::now_or_never(http_body_util::BodyExt::collect(body));
    let body = body.ok_or("the body is not there")??.to_bytes();
    measure("read the signed headers, build the string to sign", || Presented::from_head(&head, None, now));
    let presented = Presented::from_head(&head, None, now)?;
    measure("verify the signature", || presented.verify(&signing_key));
    measure("compare the body's hash", || presented.check_body(&body));
    measure("parse the JSON of /sdk/proxy", || serde_json::from_slice::<ProxyRequest>(&body));
    Ok(())
}

fn envelope() -> Result<(), Failure> {
    let rng = SeededRng::new(2);
    let data_key = data_key()?;
    let key = Key::new("credential#1", "credential");
    let place = Place {
        table: TableName::Vault,
        key: &key,
        id: Uuid::nil(),
        version: 1,
        purpose: KeyPurpose::Credential,
    };
    let fields = fields()?;
    let plaintext = fields.to_plaintext()?;
    let sealed = seal(&data_key, &place, plaintext.expose_secret(), &rng)?;
    measure("open a credential's envelope", || open(&data_key, &place, &sealed));
    measure("seal one", || seal(&data_key, &place, plaintext.expose_secret(), &rng));
    measure("read the opened fields", || CredentialFields::from_plaintext(plaintext.expose_secret()));
    Ok(())
}

fn decision() -> Result<(), Failure> {
    let now = SystemClock.now();
    let (caller, facts) = (caller(), facts(now)?);
    measure("authorize", || authorize(&caller, facts.clone(), now));
    let url = "https://api.example.com/v1/customers?limit=6";
    let hosts: AllowedHosts = ["api.example.com".parse()?].into_iter().collect();
    let rules = EgressRules::default();
    measure("check the URL and its host", || {
        Target::parse(url, &rules).and_then(|target| target.check_hosts(&hosts))
    });
    Ok(())
}

fn reply() -> Result<(), Failure> {
    let fields = fields()?;
    measure("build the scanner for one secret", || Redactor::new(fields.secret_values()));
    let redactor = Redactor::new(fields.secret_values());
    let mut body = b"{\"id\":\"cus_00000001\",\"name\":\"Ada Lovelace\"},".repeat(22);
    measure("scan 1 KB of the answer", || redactor.redact_bytes(&mut body));
    Ok(())
}

/// Prints the median over batches of the mean of a batch.
pub(crate) fn measure<T>(name: &str, mut work: impl FnMut() -> T) {
    let batches = (0..BATCHES).map(|_| {
        let begun = Instant::now();
        for _ in 0..PER_BATCH {
            black_box(work());
        }
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(PER_BATCH)
    });
    let micros = median(batches);
    println!("| {name} | {micros:.2} |");
}

fn id<T: Id>(number: u128) -> T {
    T::from(Uuid::from_u128(number))
}

fn fields() -> Result<CredentialFields, Failure> {
    Ok(CredentialFields::from_pairs(
        [("token", Secret::new("sk_bench_0123456789abcdef0123456789".to_owned()))],
        &[],
    )?)
}

/// Wrapped in as many bytes as KMS takes.
fn data_key() -> Result<DataKey, Failure> {
    Ok(DataKey::new(id(1), WrappedKey(vec![1; 190]), Secret::new(vec![7; 32]))?)
}

fn caller() -> Caller {
    Caller {
        key_id: id::<KeyId>(1),
        key_prefix: "alter_key_app_aaaaaaaaaaaa".to_owned(),
        app_id: id::<AppId>(2),
        org_id: id::<OrgId>(3),
        holder: KeyHolder::App,
        acting_for: None,
        scopes: Scopes::standard(),
        attribution: Attribution::default(),
    }
}

fn facts(now: Timestamp) -> Result<Facts, Failure> {
    let rng = SeededRng::new(3);
    let credential_id: CredentialId = id(4);
    let data_key = data_key()?;
    let key = Key::new("credential#4", "credential");
    let place = Credentials::place(&key, credential_id, 1);
    let sealed = seal(&data_key, &place, fields()?.to_plaintext()?.expose_secret(), &rng)?;
    let (app_id, secret_id): (AppId, SecretId) = (id(2), id(5));
    let grant = Grant {
        id: id::<GrantId>(6),
        app_id,
        source: GrantSource::ManagedSecret { secret_id },
        credential_id,
        provider_id: "provider".to_owned(),
        principal: Principal::System,
        label: None,
        policy: GrantPolicy::default(),
        state: GrantState::Active,
        created_at: now,
    };
    let secret = ManagedSecret {
        id: secret_id,
        app_id,
        slug: "provider".to_owned(),
        name: "provider".to_owned(),
        template: None,
        credential_type: CredentialType::Bearer,
        injection: Injection::bearer(),
        default_headers: Default::default(),
        allowed_hosts: ["api.example.com".parse()?].into_iter().collect(),
        credential_id,
        seal_version: 1,
        fields: vec!["token".to_owned()],
        created_at: now,
        rotated_at: now,
    };
    let credential = SealedCredential { id: credential_id, app_id, seal_version: 1, sealed };
    Ok(Facts {
        grant: Some(Arc::new(grant)),
        source: Some(Source::Secret(Arc::new(secret))),
        credential: Some(Arc::new(credential)),
        agent: None,
        name: InName::Caller(Owner::Unread),
        by_provider: None,
    })
}
