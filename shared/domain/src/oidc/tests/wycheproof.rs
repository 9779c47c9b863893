//! Project Wycheproof's vectors of the signature algorithms (testdata/wycheproof), through the check that tokens go through.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::oidc::jwks::{Algorithm, KeySet};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    public_key_jwk: Value,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    #[serde(rename = "tcId")]
    id: u32,
    msg: String,
    sig: String,
    result: String,
}

/// Runs a file, and returns how many signatures it says to be valid and how many not. What is `acceptable` (a digest without
/// its NULL) is not valid in a JWS.
fn run(alg: &str, text: &str) -> (usize, usize) {
    let file: File = serde_json::from_str(text).unwrap();
    let algorithm = Algorithm::from_name(alg).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in file.test_groups {
        let set = json!({"keys": [group.public_key_jwk]}).to_string();
        let keys = KeySet::from_slice(set.as_bytes()).unwrap();
        let key = keys.find(None, algorithm).unwrap();
        for Test { id, msg, sig, result } in group.tests {
            let expected = result == "valid";
            let verified = key.verifies(algorithm, &hex::decode(msg).unwrap(), &hex::decode(sig).unwrap());
            assert_eq!(verified, expected, "{alg} test {id}");
            *(if expected { &mut valid } else { &mut invalid }) += 1;
        }
    }
    assert_eq!(valid + invalid, file.number_of_tests);
    (valid, invalid)
}

macro_rules! vectors {
    ($alg:literal, $name:literal) => {
        run($alg, include_str!(concat!("../../../testdata/wycheproof/", $name, "_test.json")))
    };
}

#[test]
fn ecdsa() {
    assert_eq!(vectors!("ES256", "ecdsa_secp256r1_sha256_p1363"), (173, 89));
    assert_eq!(vectors!("ES384", "ecdsa_secp384r1_sha384_p1363"), (193, 87));
}

#[test]
fn eddsa() {
    assert_eq!(vectors!("EdDSA", "ed25519"), (88, 63));
}

#[test]
fn rsa_pkcs1() {
    assert_eq!(vectors!("RS256", "rsa_signature_2048_sha256"), (9, 250));
    assert_eq!(vectors!("RS384", "rsa_signature_2048_sha384"), (7, 251));
    assert_eq!(vectors!("RS512", "rsa_signature_2048_sha512"), (8, 251));
}

#[test]
fn rsa_pss() {
    assert_eq!(vectors!("PS256", "rsa_pss_2048_sha256_mgf1_32"), (63, 45));
    assert_eq!(vectors!("PS384", "rsa_pss_2048_sha384_mgf1_48"), (95, 46));
    assert_eq!(vectors!("PS512", "rsa_pss_4096_sha512_mgf1_64"), (132, 47));
}
