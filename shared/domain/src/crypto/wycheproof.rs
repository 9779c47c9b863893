//! The Wycheproof vectors (testdata/wycheproof), through the very functions that envelope and signatures call.

use serde::Deserialize;

use super::primitive::{
    DIGEST_BYTES, Refused, TAG_BYTES, aead_open, aead_seal, hkdf_sha256, hmac_sha256, hmac_sha256_verify,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File<T> {
    number_of_tests: usize,
    test_groups: Vec<Group<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group<T> {
    #[serde(default)]
    tag_size: usize,
    tests: Vec<T>,
}

#[derive(Deserialize, PartialEq, Eq, Debug, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Valid,
    Invalid,
}

/// Bytes written as hex.
#[derive(Debug)]
struct Hex(Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map(Hex).map_err(serde::de::Error::custom)
    }
}

/// Runs every test of a file, and counts that none was lost on the way.
fn run<T: for<'de> Deserialize<'de>>(json: &str, mut check: impl FnMut(usize, T)) {
    let file: File<T> = serde_json::from_str(json).unwrap();
    let mut count = 0;
    for group in file.test_groups {
        for test in group.tests {
            check(group.tag_size, test);
            count += 1;
        }
    }
    assert_eq!(count, file.number_of_tests);
    assert!(count > 0);
}

#[test]
fn aes_256_gcm() {
    #[derive(Deserialize)]
    struct Test {
        #[serde(rename = "tcId")]
        id: u32,
        key: Hex,
        iv: Hex,
        aad: Hex,
        msg: Hex,
        ct: Hex,
        tag: Hex,
        result: Expected,
    }
    let mut outcomes = [0, 0];
    run(include_str!("../../testdata/wycheproof/aes_gcm_256_96_test.json"), |tag_size, test: Test| {
        assert_eq!(tag_size, TAG_BYTES * 8);
        let (key, nonce) = (test.key.0.try_into().unwrap(), test.iv.0.try_into().unwrap());
        let sealed = [test.ct.0, test.tag.0].concat();

        let mut opened = sealed.clone();
        let result = aead_open(&key, nonce, &test.aad.0, &mut opened);
        let mut resealed = test.msg.0.clone();
        aead_seal(&key, nonce, &test.aad.0, &mut resealed).unwrap();
        match test.result {
            Expected::Valid => {
                assert_eq!((result, &opened), (Ok(()), &test.msg.0), "test {}", test.id);
                assert_eq!(resealed, sealed, "test {}", test.id);
                outcomes[0] += 1;
            }
            Expected::Invalid => {
                assert_eq!(result, Err(Refused), "test {}", test.id);
                assert_ne!(resealed, sealed, "test {}", test.id);
                outcomes[1] += 1;
            }
        }
    });
    assert_eq!(outcomes, [39, 27]);
}

#[test]
fn hkdf() {
    #[derive(Deserialize)]
    struct Test {
        #[serde(rename = "tcId")]
        id: u32,
        ikm: Hex,
        salt: Hex,
        info: Hex,
        size: usize,
        okm: Hex,
        result: Expected,
    }
    let mut outcomes = [0, 0];
    run(include_str!("../../testdata/wycheproof/hkdf_sha256_test.json"), |_, test: Test| {
        let mut okm = vec![0; test.size];
        let result = hkdf_sha256(&test.salt.0, &test.ikm.0, &test.info.0, &mut okm);
        match test.result {
            Expected::Valid => {
                assert_eq!((result, okm), (Ok(()), test.okm.0), "test {}", test.id);
                outcomes[0] += 1;
            }
            Expected::Invalid => {
                assert_eq!(result, Err(Refused), "test {}", test.id);
                outcomes[1] += 1;
            }
        }
    });
    assert_eq!(outcomes, [83, 3]);
}

/// Half of the vectors have tags cut to 128 bits. We never cut: those must not verify, and their begin must be ours.
#[test]
fn hmac() {
    #[derive(Deserialize)]
    struct Test {
        #[serde(rename = "tcId")]
        id: u32,
        key: Hex,
        msg: Hex,
        tag: Hex,
        result: Expected,
    }
    let mut outcomes = [0, 0, 0, 0];
    run(include_str!("../../testdata/wycheproof/hmac_sha256_test.json"), |tag_size, test: Test| {
        let whole = tag_size == DIGEST_BYTES * 8;
        let valid = test.result == Expected::Valid;
        let ours = hmac_sha256(&test.key.0, &test.msg.0);
        assert_eq!(ours.starts_with(&test.tag.0), valid, "test {}", test.id);
        assert_eq!(
            hmac_sha256_verify(&test.key.0, &test.msg.0, &test.tag.0),
            valid && whole,
            "test {}",
            test.id
        );
        outcomes[usize::from(whole) * 2 + usize::from(valid)] += 1;
    });
    assert_eq!(outcomes, [54, 33, 54, 33]);
}
