//! The key wrapper over KMS: in an emulator, and over a wire that answers as KMS does in trouble.

use alter_adapter_aws::KmsWrapper;
use alter_domain::port::{KeyContext, KeyPurpose, KeyWrapper as _, WrapError, WrappedKey};
use aws_sdk_kms::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, SharedHttpClient, retry::RetryConfig},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{Emulator, Wire};

fn context() -> KeyContext {
    KeyContext {
        org: "0190a1b2-0000-7000-8000-000000000001".parse().unwrap(),
        app: "0190a1b2-0000-7000-8000-000000000002".parse().unwrap(),
        purpose: KeyPurpose::Credential,
    }
}

pub(crate) fn client(url: &str, http: SharedHttpClient) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .http_client(http);
    Client::from_conf(config.build())
}

/// KMS with one key in it.
struct Kms {
    _emulator: Emulator,
    client: Client,
    key: String,
}

impl Kms {
    async fn new() -> Self {
        let emulator = Emulator::kms();
        let client = client(&emulator.url, Wire::new(|_, _| None).alone());
        let key = create_key(&client).await;
        Self { _emulator: emulator, client, key }
    }

    fn wrapper(&self) -> KmsWrapper {
        KmsWrapper::new(self.client.clone(), self.key.clone())
    }
}

pub(crate) async fn create_key(client: &Client) -> String {
    client.create_key().send().await.unwrap().key_metadata().unwrap().key_id().to_owned()
}

#[tokio::test]
async fn what_was_made_opens_again_and_is_different_each_time() {
    let kms = Kms::new().await;
    let (key, wrapped) = kms.wrapper().generate(&context()).await.unwrap();
    let (other, other_wrapped) = kms.wrapper().generate(&context()).await.unwrap();
    assert_eq!(key.expose_secret().len(), 32);
    assert!(key.expose_secret() != other.expose_secret() && wrapped != other_wrapped);
    assert!(!wrapped.0.windows(8).any(|window| key.expose_secret().starts_with(window)));
    let opened = kms.wrapper().unwrap(&context(), &wrapped).await.unwrap();
    assert_eq!(opened.expose_secret(), key.expose_secret());
}

#[tokio::test]
async fn another_context_does_not_open_it() {
    let kms = Kms::new().await;
    let (_, wrapped) = kms.wrapper().generate(&context()).await.unwrap();
    let stranger = "0190a1b2-0000-7000-8000-000000000003";
    for other in [
        KeyContext { org: stranger.parse().unwrap(), ..context() },
        KeyContext { app: stranger.parse().unwrap(), ..context() },
        KeyContext { purpose: KeyPurpose::Signing, ..context() },
    ] {
        let refused = kms.wrapper().unwrap(&other, &wrapped).await.err();
        assert_eq!(refused, Some(WrapError::Tampered), "{other:?}");
    }
}

#[tokio::test]
async fn another_key_does_not_open_it() {
    let kms = Kms::new().await;
    let (_, wrapped) = kms.wrapper().generate(&context()).await.unwrap();
    let other = KmsWrapper::new(kms.client.clone(), create_key(&kms.client).await);
    assert_eq!(other.unwrap(&context(), &wrapped).await.err(), Some(WrapError::NotMyKey));
}

#[tokio::test]
async fn a_blob_that_was_changed_does_not_open() {
    let kms = Kms::new().await;
    let (_, wrapped) = kms.wrapper().generate(&context()).await.unwrap();
    for at in 0..wrapped.0.len() {
        let mut changed = wrapped.clone();
        changed.0[at] ^= 1;
        let refused = kms.wrapper().unwrap(&context(), &changed).await.err();
        // Where it names its key, it now names another.
        let expected = [Some(WrapError::Tampered), Some(WrapError::NotMyKey)];
        assert!(expected.contains(&refused), "byte {at}: {refused:?}");
    }
    for shorter in [wrapped.0.len() - 1, 40, 1] {
        let cut = WrappedKey(wrapped.0[..shorter].to_vec());
        assert_eq!(
            kms.wrapper().unwrap(&context(), &cut).await.err(),
            Some(WrapError::Tampered),
            "{shorter}"
        );
    }
}

#[tokio::test]
async fn a_key_that_is_disabled_or_about_to_be_deleted_neither_makes_nor_opens() {
    let kms = Kms::new().await;
    let (key, wrapped) = kms.wrapper().generate(&context()).await.unwrap();
    let refused = async || {
        let made = kms.wrapper().generate(&context()).await.err();
        let opened = kms.wrapper().unwrap(&context(), &wrapped).await.err();
        assert!(matches!(made, Some(WrapError::Unavailable(_))), "{made:?}");
        assert!(matches!(opened, Some(WrapError::Unavailable(_))), "{opened:?}");
    };
    kms.client.disable_key().key_id(&kms.key).send().await.unwrap();
    refused().await;
    kms.client.enable_key().key_id(&kms.key).send().await.unwrap();
    let opened = kms.wrapper().unwrap(&context(), &wrapped).await.unwrap();
    assert_eq!(opened.expose_secret(), key.expose_secret());
    kms.client.schedule_key_deletion().key_id(&kms.key).pending_window_in_days(7).send().await.unwrap();
    refused().await;
}

fn scripted(
    script: impl Fn(&str, &Value) -> Option<(u16, Value)> + Send + Sync + 'static,
) -> (Wire, KmsWrapper) {
    let wire = Wire::new(script);
    let wrapper = KmsWrapper::new(client("http://127.0.0.1:9", wire.alone()), "key-1".to_owned());
    (wire, wrapper)
}

/// What the roles' policies rest on: the key is named, and the context is complete.
#[tokio::test]
async fn both_requests_name_key_and_context() {
    let plain = STANDARD.encode([7; 32]);
    let (wire, wrapper) = scripted(move |_, _| {
        Some((200, json!({ "KeyId": "key-1", "Plaintext": plain, "CiphertextBlob": "AAEC" })))
    });
    let (_, wrapped) = wrapper.generate(&context()).await.unwrap();
    assert_eq!(wrapped.0, [0, 1, 2]);
    let opened = wrapper.unwrap(&context(), &wrapped).await.unwrap();
    assert_eq!(opened.expose_secret(), &vec![7; 32]);
    let sent = wire.sent();
    let expected = json!({
        "org": "0190a1b2-0000-7000-8000-000000000001",
        "app": "0190a1b2-0000-7000-8000-000000000002",
        "purpose": "credential",
    });
    for (sent, operation) in sent.iter().zip(["GenerateDataKey", "Decrypt"]) {
        assert_eq!(sent.operation, operation);
        assert_eq!((&sent.body["KeyId"], &sent.body["EncryptionContext"]), (&json!("key-1"), &expected));
    }
    assert_eq!(sent[0].body["KeySpec"], "AES_256");
    assert_eq!(sent[1].body["CiphertextBlob"], "AAEC");
}

#[tokio::test]
async fn trouble_is_told_from_tampering() {
    for (code, status, expected) in [
        ("InvalidCiphertextException", 400, WrapError::Tampered),
        ("IncorrectKeyException", 400, WrapError::NotMyKey),
        ("DisabledException", 400, WrapError::Unavailable("DisabledException".to_owned())),
        ("KMSInvalidStateException", 400, WrapError::Unavailable("KMSInvalidStateException".to_owned())),
        ("AccessDeniedException", 400, WrapError::Unavailable("AccessDeniedException".to_owned())),
        ("ThrottlingException", 400, WrapError::Unavailable("ThrottlingException".to_owned())),
        ("NotFoundException", 400, WrapError::Unavailable("NotFoundException".to_owned())),
        ("KMSInternalException", 500, WrapError::Unavailable("KMSInternalException".to_owned())),
        ("DependencyTimeoutException", 503, WrapError::Unavailable("DependencyTimeoutException".to_owned())),
    ] {
        let (_, wrapper) = scripted(move |_, _| {
            Some((status, json!({ "__type": code, "message": "arn:aws:kms:eu-central-1:1:key/canary" })))
        });
        let told = wrapper.unwrap(&context(), &WrappedKey(vec![1])).await.unwrap_err();
        assert_eq!(told, expected);
        assert!(!told.to_string().contains("canary"));
        if let WrapError::Unavailable(_) = expected {
            assert_eq!(wrapper.generate(&context()).await.unwrap_err(), expected);
        }
    }
}

#[tokio::test]
async fn no_answer_and_half_an_answer_are_trouble() {
    let (_, wrapper) = scripted(|_, _| Some((200, json!({ "KeyId": "key-1" }))));
    assert!(matches!(wrapper.generate(&context()).await, Err(WrapError::Unavailable(_))));
    let opened = wrapper.unwrap(&context(), &WrappedKey(vec![1])).await;
    assert!(matches!(opened, Err(WrapError::Unavailable(_))));
    let (_, wrapper) = scripted(|_, _| None);
    assert_eq!(
        wrapper.generate(&context()).await.err(),
        Some(WrapError::Unavailable("no connection".to_owned()))
    );
}
