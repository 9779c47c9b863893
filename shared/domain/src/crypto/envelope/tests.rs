use proptest::prelude::*;

use super::*;
use crate::port::{SeededRng, WrappedKey};

const WRAPPED: &[u8] = b"wrapped";
/// Of the test's header, then with salt and nonce.
const HEADER_BYTES: usize = 1 + ID_BYTES + LENGTH_BYTES + WRAPPED.len();
const BEFORE_TEXT: usize = HEADER_BYTES + SALT_BYTES + NONCE_BYTES;

fn data_key(id: u128, fill: u8) -> DataKey {
    wrapped_in(WRAPPED, id, fill)
}

fn wrapped_in(wrapped: &[u8], id: u128, fill: u8) -> DataKey {
    let material = Secret::new(vec![fill; KEY_BYTES]);
    DataKey::new(Uuid::from_u128(id).into(), WrappedKey(wrapped.to_vec()), material).unwrap()
}

fn place(key: &Key) -> Place<'_> {
    Place {
        table: TableName::Vault,
        key,
        id: Uuid::from_u128(5),
        version: 3,
        purpose: KeyPurpose::Credential,
    }
}

fn opened(data_key: &DataKey, place: &Place<'_>, sealed: &Sealed) -> Result<Vec<u8>, OpenError> {
    open(data_key, place, sealed).map(|plain| plain.expose_secret().clone())
}

#[test]
fn opens_where_it_was_sealed_and_nowhere_else() {
    let (key, data_key) = (Key::new("app#1", "cred#5"), data_key(1, 7));
    let here = place(&key);
    let sealed = seal(&data_key, &here, b"hunter2", &SeededRng::new(1)).unwrap();
    assert_eq!(opened(&data_key, &here, &sealed).unwrap(), b"hunter2");

    let other_keys = [
        Key::new("app#2", "cred#5"),
        Key::new("app#1", "cred#6"),
        Key::new("app#1c", "red#5"), // same text, cut elsewhere
        Key::new("", "app#1cred#5"),
    ];
    let moved = other_keys.iter().map(|key| Place { key, ..here }).chain([
        Place { table: TableName::Main, ..here },
        Place { table: TableName::Audit, ..here },
        Place { id: Uuid::from_u128(6), ..here },
        Place { version: 2, ..here },
        Place { version: 4, ..here },
        Place { purpose: KeyPurpose::Signing, ..here },
    ]);
    for there in moved {
        assert_eq!(opened(&data_key, &there, &sealed), Err(OpenError::Refused), "{there:?}");
    }
}

#[test]
fn another_data_key_does_not_open() {
    let key = Key::new("p", "s");
    let here = place(&key);
    let sealed = seal(&data_key(1, 7), &here, b"x", &SeededRng::new(1)).unwrap();
    assert_eq!(sealed.data_key(), data_key(1, 7).wrapped());
    assert_eq!(opened(&data_key(2, 7), &here, &sealed), Err(OpenError::OtherKey));
    // The same material in another wrapping.
    assert_eq!(opened(&wrapped_in(b"wrappee", 1, 7), &here, &sealed), Err(OpenError::OtherKey));
    // Another app's key that claims the same id and wrapping.
    assert_eq!(opened(&data_key(1, 8), &here, &sealed), Err(OpenError::Refused));
    // The right material under another id, or in another wrapping (also a longer one), the header changed to match.
    let (before, after) = (&sealed.as_bytes()[..1], &sealed.as_bytes()[HEADER_BYTES..]);
    for (id, wrapped) in [(2, WRAPPED), (1, b"wrappee"), (1, b"wrapped anew"), (1, b"w")] {
        let length = (wrapped.len() as u16).to_be_bytes();
        let relabelled = [before, Uuid::from_u128(id).as_bytes(), &length, wrapped, after].concat();
        let relabelled = Sealed::from_bytes(relabelled).unwrap();
        assert_eq!(opened(&wrapped_in(wrapped, id, 7), &here, &relabelled), Err(OpenError::Refused));
        assert_eq!(opened(&data_key(1, 7), &here, &relabelled), Err(OpenError::OtherKey));
    }
}

/// The whole wrapping is read from the value, and no more: neither nothing nor what would fill an item.
#[test]
fn a_wrapping_has_1_to_1024_bytes() {
    let key = Key::new("p", "s");
    let framed = |length: u16| {
        let body = vec![0; usize::from(length) + SALT_BYTES + NONCE_BYTES + TAG_BYTES];
        Sealed::from_bytes([&[FORMAT][..], &[0; ID_BYTES], &length.to_be_bytes(), &body].concat())
    };
    for length in [0, 1025, u16::MAX] {
        assert_eq!(framed(length), Err(OpenError::Malformed), "{length}");
    }
    for length in [1, 1024] {
        assert_eq!(framed(length).unwrap().data_key().wrapped.len(), usize::from(length));
        let data_key = wrapped_in(&vec![9; usize::from(length)], 1, 7);
        let sealed = seal(&data_key, &place(&key), b"x", &SeededRng::new(1)).unwrap();
        let stored = Sealed::from_bytes(sealed.into_bytes()).unwrap();
        assert_eq!(stored.data_key(), data_key.wrapped());
        assert_eq!(opened(&data_key, &place(&key), &stored).unwrap(), b"x");
    }
}

#[test]
fn truncation_and_extension_fail() {
    let (key, data_key) = (Key::new("p", "s"), data_key(1, 7));
    let sealed = seal(&data_key, &place(&key), b"abcdef", &SeededRng::new(1)).unwrap();
    let bytes = sealed.as_bytes();
    for length in 0..bytes.len() {
        let result = Sealed::from_bytes(bytes[..length].to_vec())
            .and_then(|cut| opened(&data_key, &place(&key), &cut));
        let expected =
            if length < BEFORE_TEXT + TAG_BYTES { OpenError::Malformed } else { OpenError::Refused };
        assert_eq!(result, Err(expected), "{length}");
    }
    let longer = Sealed::from_bytes([bytes, &[0]].concat()).unwrap();
    assert_eq!(opened(&data_key, &place(&key), &longer), Err(OpenError::Refused));
}

#[test]
fn an_unknown_format_says_so() {
    for format in [0, 1, 3, 255] {
        let bytes = [&[format][..], &[0; 80]].concat();
        assert_eq!(Sealed::from_bytes(bytes), Err(OpenError::UnknownFormat(format)));
    }
}

#[test]
fn every_seal_has_its_own_salt_and_nonce() {
    let (key, data_key, rng) = (Key::new("p", "s"), data_key(1, 7), SeededRng::new(9));
    let randoms: std::collections::HashSet<_> = (0..100)
        .map(|_| {
            seal(&data_key, &place(&key), b"same", &rng).unwrap().as_bytes()[HEADER_BYTES..BEFORE_TEXT]
                .to_vec()
        })
        .collect();
    assert_eq!(randoms.len(), 100);
}

#[test]
fn without_randomness_nothing_is_sealed() {
    struct Broken;
    impl crate::port::Rng for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), RngError> {
            Err(RngError)
        }
    }
    let key = Key::new("p", "s");
    assert_eq!(seal(&data_key(1, 7), &place(&key), b"x", &Broken), Err(SealError::Rng(RngError)));
}

/// What is stored today must open tomorrow: computed by this code on the day that format 2 was fixed, and checked
/// against an independent implementation.
#[test]
fn format_2_stays_readable() {
    let key = Key::new("app#1", "cred#5");
    let sealed = seal(&data_key(1, 7), &place(&key), b"hunter2", &SeededRng::new(1)).unwrap();
    assert_eq!(hex::encode(sealed.as_bytes()), FORMAT_2);
    let stored = Sealed::from_bytes(hex::decode(FORMAT_2).unwrap()).unwrap();
    assert_eq!(opened(&data_key(1, 7), &place(&key), &stored).unwrap(), b"hunter2");
}

const FORMAT_2: &str = concat!(
    "0200000000000000000000000000000001000777726170706564c15c0289ec2d0a91",
    "67ec8e65a18debbe5e5532fbeea293f80bc942ee579687cb37cc4dd129ebedcb1def",
    "6c2d46b98696a8399d"
);

#[test]
fn every_single_bit_flip_fails() {
    let (key, data_key) = (Key::new("p", "s"), data_key(1, 7));
    let sealed = seal(&data_key, &place(&key), b"abcde", &SeededRng::new(1)).unwrap();
    for bit in 0..sealed.as_bytes().len() * 8 {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let result = Sealed::from_bytes(bytes).and_then(|flipped| opened(&data_key, &place(&key), &flipped));
        let expected = match bit {
            0..8 => OpenError::UnknownFormat(FORMAT ^ (1 << bit)),
            8..136 => OpenError::OtherKey,
            // A length that is too long for what follows, or a shorter wrapping.
            136..152 if matches!(result, Err(OpenError::Malformed)) => continue,
            136..208 => OpenError::OtherKey,
            _ => OpenError::Refused,
        };
        assert_eq!(result, Err(expected), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn any_value_round_trips(plain: Vec<u8>, partition: String, sort: String, id: u128, version: u64, seed: u64) {
        let (key, data_key) = (Key::new(partition, sort), data_key(1, 7));
        let place = Place { id: Uuid::from_u128(id), version, ..place(&key) };
        let sealed = seal(&data_key, &place, &plain, &SeededRng::new(seed)).unwrap();
        prop_assert_eq!(sealed.as_bytes().len(), BEFORE_TEXT + plain.len() + TAG_BYTES);
        let stored = Sealed::from_bytes(sealed.as_bytes().to_vec()).unwrap();
        prop_assert_eq!(opened(&data_key, &place, &stored), Ok(plain));
    }

    /// No two pairs of key and place share a binding, however their texts are cut.
    #[test]
    fn bindings_are_unambiguous(
        a in "[ab\\x00]{0,3}", b in "[ab\\x00]{0,3}", c in "[ab\\x00]{0,3}", d in "[ab\\x00]{0,3}",
        e in "[ab\\x00]{1,3}", f in "[ab\\x00]{1,3}",
    ) {
        let (left, right) = (Key::new(a, b), Key::new(c, d));
        let header = |wrapped: &str| {
            header(WrappedDataKey { id: Uuid::nil().into(), wrapped: wrapped.as_bytes() }).unwrap()
        };
        let same = place(&left).binding(&header(&e)) == place(&right).binding(&header(&f));
        prop_assert_eq!(same, left == right && e == f);
    }

    #[test]
    fn arbitrary_bytes_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (key, data_key) = (Key::new("p", "s"), data_key(1, 7));
        // Give them a right header half of the time, so that they reach the cipher.
        let framed = [&header(data_key.wrapped()).unwrap()[..], &bytes].concat();
        for bytes in [bytes, framed] {
            let result = Sealed::from_bytes(bytes).and_then(|s| opened(&data_key, &place(&key), &s));
            prop_assert!(result.is_err());
        }
    }
}
