//! Documents from outside and from the store: none panics, and what was read and written again reads the same.

#![no_main]

use alter_api_types::{grants, portal, proxy};
use alter_domain::{
    crypto::Sealed,
    egress::AllowedHosts,
    inject::{CredentialFields, Injection},
    model::{AuditEvent, Scopes},
    web::read_json,
};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

fuzz_target!(|data: &[u8]| {
    // Requests.
    let _ = read_json::<proxy::ProxyRequest>(data);
    let _ = read_json::<portal::CreateSecret>(data);
    let _ = read_json::<portal::ReplaceValue>(data);
    round_trip::<portal::CreateApp>(data);
    round_trip::<portal::UpdateApp>(data);
    round_trip::<portal::MintKey>(data);
    round_trip::<portal::CreateGrant>(data);
    round_trip::<portal::RevokeGrant>(data);
    round_trip::<portal::UpdateSecret>(data);
    let _ = read_json::<grants::ListGrantsRequest>(data);

    // Stored documents.
    round_trip::<Injection>(data);
    round_trip::<AllowedHosts>(data);
    round_trip::<Scopes>(data);
    if let Ok(event) = AuditEvent::decode(data) {
        let again = event.encode().expect("an event can be written");
        assert_eq!(AuditEvent::decode(&again.0).expect("and read"), event);
    }
    if let Ok(fields) = CredentialFields::from_plaintext(data) {
        let again = fields.to_plaintext().expect("fields can be written");
        let again = CredentialFields::from_plaintext(again.expose_secret()).expect("and read");
        assert!(fields.names().eq(again.names()));
    }
    if let Ok(sealed) = Sealed::from_bytes(data.to_vec()) {
        assert!((1..=1024).contains(&sealed.data_key().wrapped.len()));
        assert_eq!(sealed.as_bytes(), data);
    }
});

/// Reads, writes, reads.
fn round_trip<T: DeserializeOwned + Serialize + PartialEq>(data: &[u8]) {
    if let Ok(value) = read_json::<T>(data) {
        let text = serde_json::to_vec(&value).expect("what was read can be written");
        assert!(
            read_json::<T>(&text).is_ok_and(|again| again == value),
            "{}",
            String::from_utf8_lossy(&text)
        );
    }
}
