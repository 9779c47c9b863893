//! Signatures of Svix, which Clerk delivers by, and of the specification that grew out of it (Standard Webhooks 1.0.0,
//! "Verifying webhook authenticity"): HMAC-SHA256 over `id.timestamp.body`, in headers `svix-…` or `webhook-…`.

use base64::{
    Engine as _,
    alphabet::STANDARD as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use http::HeaderMap;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{
    MAX_EVENT_ID_BYTES, Unverified,
    signed_at::{check_time, digits, single},
};
use crate::{crypto::hmac_sha256_verify, secret::Secret};

/// How a secret is written where it is shown; the rest is base64.
const SECRET_PREFIX: &str = "whsec_";
/// Lengths of a secret, in bytes: the specification asks for 24 to 64, Svix itself gives up to 75.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=75;
/// The one symmetric scheme; others (`v1a`, asymmetric) may stand beside it.
const SCHEME: &str = "v1,";
/// While a sender rotates its secret, it signs with each. More signatures than this are not looked at.
const MAX_SIGNATURES: usize = 16;

/// A pasted secret may have lost its padding.
const PASTED: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The HMAC key out of a pasted `whsec_<base64>`; `None` for what is no such secret.
pub fn key(pasted: &Secret<String>) -> Option<Secret<Vec<u8>>> {
    let encoded = pasted.expose_secret().strip_prefix(SECRET_PREFIX)?;
    // Bounded before it is decoded, and with room for all: a buffer that grows would leave its beginning behind.
    if encoded.len() > SECRET_BYTES.end().div_ceil(3) * 4 {
        return None;
    }
    let mut key = Zeroizing::new(vec![0; base64::decoded_len_estimate(encoded.len())]);
    let length = PASTED.decode_slice(encoded, &mut key).ok()?;
    key.truncate(length);
    SECRET_BYTES.contains(&length).then(|| Secret::new(std::mem::take(&mut *key)))
}

/// A delivery whose sender is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The same in each attempt to deliver the event.
    pub id: String,
    /// When this attempt was signed.
    pub signed_at: Timestamp,
}

/// Verifies the signature over the body as it was received, byte for byte. One of several signatures that fits is enough.
pub fn verify(
    key: &Secret<Vec<u8>>,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Delivery, Unverified> {
    // One family of names or the other, never a mixture.
    let names = if headers.contains_key("svix-id") {
        ["svix-id", "svix-timestamp", "svix-signature"]
    } else {
        ["webhook-id", "webhook-timestamp", "webhook-signature"]
    };
    let [id, timestamp, signatures] = names;
    let id = single(headers, id)?.ok_or(Unverified::Missing)?;
    let timestamp = single(headers, timestamp)?.ok_or(Unverified::Missing)?;
    let signatures = single(headers, signatures)?.ok_or(Unverified::Missing)?;
    // A dot would let the same signed text be split elsewhere.
    if id.is_empty()
        || id.len() > MAX_EVENT_ID_BYTES
        || !id.bytes().all(|b| b.is_ascii_graphic() && b != b'.')
    {
        return Err(Unverified::Unreadable);
    }
    let signed_at = digits(timestamp)
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(Unverified::Unreadable)?;
    check_time(signed_at, now)?;
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let fits = |signature: &str| {
        signature
            .strip_prefix(SCHEME)
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .is_some_and(|tag| hmac_sha256_verify(key.expose_secret(), &signed, &tag))
    };
    if signatures.split(' ').take(MAX_SIGNATURES).any(fits) {
        Ok(Delivery { id: id.to_owned(), signed_at })
    } else {
        Err(Unverified::Forged)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::crypto::hmac_sha256;

    /// The published test vector of Standard Webhooks and of Svix's libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn key(text: &str) -> Option<Secret<Vec<u8>>> {
        super::key(&Secret::new(text.to_owned()))
    }

    fn headers(values: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn svix(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        headers(&[("svix-id", id), ("svix-timestamp", timestamp), ("svix-signature", signature)])
    }

    fn sign(id: &str, timestamp: &str, body: &[u8]) -> String {
        let key = STANDARD.decode(&SECRET[6..]).unwrap();
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
        format!("v1,{}", STANDARD.encode(hmac_sha256(&key, &signed)))
    }

    fn now() -> Timestamp {
        Timestamp::from_second(AT).unwrap()
    }

    fn check(headers: &HeaderMap, body: &[u8], after: i64) -> Result<Delivery, Unverified> {
        verify(&key(SECRET).unwrap(), headers, body, Timestamp::from_second(AT + after).unwrap())
    }

    #[test]
    fn b082_the_published_vector_verifies_in_both_families_of_headers() {
        let expected = Delivery { id: ID.to_owned(), signed_at: now() };
        let at = AT.to_string();
        assert_eq!(check(&svix(ID, &at, SIGNATURE), BODY, 0), Ok(expected.clone()));
        let webhook =
            headers(&[("webhook-id", ID), ("webhook-timestamp", &at), ("webhook-signature", SIGNATURE)]);
        assert_eq!(check(&webhook, BODY, 0), Ok(expected));
        assert_eq!(sign(ID, &at, BODY), SIGNATURE);
    }

    #[test]
    fn one_of_several_signatures_is_enough() {
        let other = format!("v1,{}", STANDARD.encode([7; 32]));
        let at = AT.to_string();
        for list in [
            format!("{other} {SIGNATURE}"),
            format!("{SIGNATURE} {other}"),
            format!("v1a,{} {SIGNATURE}", STANDARD.encode([7; 64])),
            format!("rubbish v1, {SIGNATURE}"),
        ] {
            assert!(check(&svix(ID, &at, &list), BODY, 0).is_ok(), "{list}");
        }
        let many = format!("{}{SIGNATURE}", format!("{other} ").repeat(MAX_SIGNATURES));
        assert_eq!(check(&svix(ID, &at, &many), BODY, 0), Err(Unverified::Forged));
    }

    #[test]
    fn five_minutes_either_way_and_no_more() {
        let headers = svix(ID, &AT.to_string(), SIGNATURE);
        for (after, expected) in [
            (300, None),
            (-300, None),
            (301, Some(Unverified::Late)),
            (-301, Some(Unverified::Early)),
            (10_000_000, Some(Unverified::Late)),
        ] {
            assert_eq!(check(&headers, BODY, after).err(), expected, "{after}");
        }
    }

    #[test]
    fn b082_forged_signatures_are_refused() {
        let at = AT.to_string();
        let bare = SIGNATURE.strip_prefix("v1,").unwrap();
        let tag = STANDARD.decode(bare).unwrap();
        let mut bent = tag.clone();
        bent[31] ^= 1;
        let wrong = [
            format!("v1,{}", STANDARD.encode(&bent)),
            format!("v1,{}", STANDARD.encode(&tag[..31])),
            format!("v1,{}", STANDARD.encode([tag.as_slice(), &[0]].concat())),
            format!("v1,{}", hex::encode(&tag)),
            // Padded, unpadded and padded with what no canonical base64 has.
            format!("{SIGNATURE}="),
            SIGNATURE.trim_end_matches('=').to_owned(),
            SIGNATURE.replace("1OE=", "1OF="),
            format!("v1,{}", bare.replace('+', "-").replace('/', "_")),
            bare.to_owned(),
            format!("v2,{bare}"),
            format!("v1a,{bare}"),
            format!("V1,{bare}"),
            format!("v1, {bare}"),
            format!("{SIGNATURE},{SIGNATURE}"),
            format!("{SIGNATURE}\t{SIGNATURE}"),
            "v1,".to_owned(),
            String::new(),
        ];
        for signature in &wrong {
            assert_eq!(check(&svix(ID, &at, signature), BODY, 0), Err(Unverified::Forged), "{signature}");
        }
        let later = (AT + 1).to_string();
        let other_body = br#"{"test": 2432232315}"#;
        let padded_body = [BODY, b"\n"].concat();
        for (headers, body) in [
            (svix("msg_other", &at, SIGNATURE), BODY),
            (svix(ID, &later, SIGNATURE), BODY),
            (svix(ID, &at, SIGNATURE), other_body.as_slice()),
            (svix(ID, &at, SIGNATURE), padded_body.as_slice()),
            (svix(ID, &at, SIGNATURE), b"".as_slice()),
        ] {
            assert_eq!(check(&headers, body, 0), Err(Unverified::Forged));
        }
        let other = key("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let refused = verify(&other, &svix(ID, &at, SIGNATURE), BODY, now());
        assert_eq!(refused, Err(Unverified::Forged));
    }

    #[test]
    fn headers_that_could_be_read_two_ways_are_refused() {
        let at = AT.to_string();
        let signed = |id: &str, timestamp: &str| svix(id, timestamp, &sign(id, timestamp, BODY));
        let too_long = "x".repeat(MAX_EVENT_ID_BYTES + 1);
        for id in ["msg.1", "a b", "", too_long.as_str()] {
            assert_eq!(check(&signed(id, &at), BODY, 0), Err(Unverified::Unreadable), "{id}");
        }
        for timestamp in ["", "+1614265330", "1614265330.0", "0x6037", "99999999999999999999", "tomorrow"] {
            assert_eq!(check(&signed(ID, timestamp), BODY, 0), Err(Unverified::Unreadable), "{timestamp}");
        }
        for repeated in ["svix-id", "svix-timestamp", "svix-signature"] {
            let mut headers = svix(ID, &at, SIGNATURE);
            let value = headers.get(repeated).unwrap().clone();
            headers.append(repeated, value);
            assert_eq!(check(&headers, BODY, 0), Err(Unverified::Unreadable), "{repeated}");
        }
        for missing in ["svix-id", "svix-timestamp", "svix-signature"] {
            let mut headers = svix(ID, &at, SIGNATURE);
            headers.remove(missing);
            assert_eq!(check(&headers, BODY, 0), Err(Unverified::Missing), "{missing}");
        }
        // The other family does not fill the gap.
        let mixed = headers(&[("svix-id", ID), ("webhook-timestamp", &at), ("webhook-signature", SIGNATURE)]);
        assert_eq!(check(&mixed, BODY, 0), Err(Unverified::Missing));
    }

    #[test]
    fn only_secrets_of_the_form_are_taken() {
        assert!(key(SECRET).is_some());
        // 32 bytes, padded and not.
        let padded = format!("whsec_{}", STANDARD.encode([7; 32]));
        assert!(key(&padded).is_some() && key(padded.trim_end_matches('=')).is_some());
        for bytes in [24, 75] {
            assert!(key(&format!("whsec_{}", STANDARD.encode(vec![7; bytes]))).is_some(), "{bytes}");
        }
        for wrong in [
            "",
            "whsec_",
            "whsec_not base64 at all, is it?",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
            " whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
            &format!("whsec_{}", STANDARD.encode([7; 23])),
            &format!("whsec_{}", STANDARD.encode([7; 76])),
            &format!("whsec_{}", "A".repeat(1_000_000)),
        ] {
            assert!(key(wrong).is_none(), "{}", &wrong[..wrong.len().min(60)]);
        }
    }
}
