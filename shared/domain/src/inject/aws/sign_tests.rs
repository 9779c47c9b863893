//! AWS's published examples, and a second implementation of the algorithm that checks what is really sent.

use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::*;
use crate::inject::{Injected, aws::verifier};

/// The access key and secret of AWS's signing test suite and of the examples in its user guide.
const SUITE: (&str, &str) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
/// Those of the examples in the S3 reference.
const S3: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn credential((id, key): (&str, &str), token: Option<&str>) -> CredentialFields {
    let mut pairs = vec![(AWS_ACCESS_KEY_ID, id), (AWS_SECRET_ACCESS_KEY, key)];
    pairs.extend(token.map(|token| (AWS_SESSION_TOKEN, token)));
    let pairs = pairs.into_iter().map(|(name, value)| (name, Secret::new(value.to_owned())));
    CredentialFields::from_pairs(pairs, &[AWS_ACCESS_KEY_ID]).unwrap()
}

fn head(method: &str, url: &str, headers: &[(&str, &str)]) -> OutgoingHead {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    OutgoingHead { method: Method::try_from(method).unwrap(), url: Url::parse(url).unwrap(), headers: map }
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn inject(
    head: &mut OutgoingHead,
    keys: (&str, &str),
    payload: Payload<'_>,
    now: Timestamp,
) -> Result<Injected, InjectError> {
    crate::inject::inject(&Injection::AwsSigv4, &credential(keys, None), head, payload, now)
}

fn authorization(head: &OutgoingHead) -> &str {
    head.headers["authorization"].to_str().unwrap()
}

/// IAM user guide, "Create a signed AWS API request": ListUsers.
#[test]
fn published_iam_example() {
    let mut head = head(
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        &[("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
    );
    inject(&mut head, SUITE, Payload::Bytes(b""), at("2015-08-30T12:36:00Z")).unwrap();
    assert_eq!(
        authorization(&head),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, \
         Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    );
    assert_eq!(head.headers["x-amz-date"], "20150830T123600Z");
    assert!(!head.headers.contains_key("x-amz-content-sha256"));
}

/// S3 API reference, "Signature calculations for the Authorization header: transferring a payload in a single chunk",
/// all four examples. The second one has a `$` in its key, which must leave as `%24`.
#[test]
fn published_s3_examples() {
    type Example<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8], &'a str, &'a str);
    let examples: &[Example<'_>] = &[
        (
            "GET",
            "/test.txt",
            &[("range", "bytes=0-9")],
            b"",
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test$file.text",
            &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            b"Welcome to Amazon S3.",
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/?lifecycle",
            &[],
            b"",
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/?max-keys=2&prefix=J",
            &[],
            b"",
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ];
    for (method, path, headers, body, signed, signature) in examples {
        let mut head = head(method, &format!("https://examplebucket.s3.amazonaws.com{path}"), headers);
        inject(&mut head, S3, Payload::Bytes(body), at("2013-05-24T00:00:00Z")).unwrap();
        assert_eq!(
            authorization(&head),
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
                 SignedHeaders={signed}, Signature={signature}"
            ),
            "{method} {path}"
        );
        assert_eq!(head.url.path(), path.split('?').next().unwrap().replace('$', "%24"));
    }
}

/// AWS's signing test suite (`get-vanilla` and others). Its made-up service has no host of its own.
#[test]
fn published_test_suite() {
    let scope = AwsScope { region: "us-east-1", service: "service" };
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    let plain = "host;x-amz-date";
    for (method, path, token, signed, signature) in [
        ("GET", "/", None, plain, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", None, plain, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            None,
            plain,
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "GET",
            "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            None,
            plain,
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            "GET",
            "/?\u{1234}=bar",
            None,
            plain,
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
        ("GET", "/./", None, plain, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "GET",
            "/",
            Some(token),
            "host;x-amz-date;x-amz-security-token",
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
    ] {
        let mut head = head(method, &format!("https://example.amazonaws.com{path}"), &[]);
        let fields = credential(SUITE, token);
        let now = at("2015-08-30T12:36:00Z");
        sign_for(scope, &fields, &mut head, Payload::Bytes(b""), now).unwrap();
        assert_eq!(
            authorization(&head),
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={signed}, Signature={signature}"
            ),
            "{method} {path}"
        );
        assert_eq!(head.headers.get("x-amz-security-token").map(|v| v.to_str().unwrap()), token);
    }
}

#[test]
fn second_implementation_agrees() {
    let now = at("2026-11-22T07:08:09Z");
    for (method, url, headers, payload) in [
        (
            "POST",
            "https://dynamodb.eu-west-1.amazonaws.com/",
            &[
                ("x-amz-target", "DynamoDB_20120810.ListTables"),
                ("content-type", "application/x-amz-json-1.0"),
            ][..],
            Payload::Bytes(b"{}"),
        ),
        (
            "GET",
            "https://b.s3.eu-west-1.amazonaws.com/a+b/(c)/%C3%BC%20x//y?prefix=a+b%2Fc&list-type=2&empty",
            &[],
            Payload::Bytes(b""),
        ),
        (
            "PUT",
            "https://b.s3.us-west-2.amazonaws.com/big",
            &[("content-type", "text/plain")],
            Payload::Streaming,
        ),
        (
            "GET",
            "https://abc.execute-api.us-east-1.amazonaws.com/prod/a(b)/c%20d:e?q=1&q=0",
            &[("accept", "*/*")],
            Payload::Bytes(b""),
        ),
        (
            "POST",
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v2%3A1/invoke",
            &[("content-type", "application/json")],
            Payload::Bytes(b"{\"a\":1}"),
        ),
        (
            "POST",
            "https://abc.lambda-url.us-east-1.on.aws:8443/x",
            &[("x-amz-meta", "  two   spaces "), ("x-amz-meta", "second")],
            Payload::Streaming,
        ),
    ] {
        let mut head = head(method, url, headers);
        let injected = inject(&mut head, SUITE, payload, now).unwrap();
        let expected = verifier::signature(&head, payload, SUITE.1);
        assert_eq!(injected.values.last().unwrap().expose_secret(), &expected, "{url}");
        assert!(authorization(&head).ends_with(&format!("Signature={expected}")));
    }
}

#[test]
fn a_stream_is_signed_without_its_hash() {
    let mut stream = head("PUT", "https://b.s3.us-west-2.amazonaws.com/k", &[]);
    inject(&mut stream, S3, Payload::Streaming, at("2026-11-22T00:00:00Z")).unwrap();
    assert_eq!(stream.headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
    let mut empty = head("PUT", "https://b.s3.us-west-2.amazonaws.com/k", &[]);
    inject(&mut empty, S3, Payload::Bytes(b""), at("2026-11-22T00:00:00Z")).unwrap();
    assert_eq!(empty.headers["x-amz-content-sha256"], EMPTY_SHA256);
}

#[test]
fn nothing_that_the_signature_sets_may_come_from_the_caller() {
    let url = "https://sqs.us-east-1.amazonaws.com/";
    for name in OWN_HEADERS {
        let mut head = head("GET", url, &[(name, "x")]);
        let error = inject(&mut head, S3, Payload::Bytes(b""), Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(error, InjectError::CallerSetsInjected(name.into()));
    }
    for name in OWN_PARAMETERS {
        let mut head = head("GET", &format!("{url}?a=b&{}=x", name.to_lowercase()), &[]);
        let error = inject(&mut head, S3, Payload::Bytes(b""), Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(error, InjectError::CallerSetsInjected(name.into()));
    }
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let now = Timestamp::UNIX_EPOCH;
    let mut other = head("GET", "https://bucket.s3-accelerate.amazonaws.com/", &[]);
    let error = inject(&mut other, S3, Payload::Bytes(b""), now).unwrap_err();
    assert_eq!(error, InjectError::UnknownAwsHost("bucket.s3-accelerate.amazonaws.com".into()));
    let mut binary = head("GET", "https://sqs.us-east-1.amazonaws.com/", &[]);
    binary.headers.insert("x-amz-meta", HeaderValue::from_bytes(b"\xff").unwrap());
    let error = inject(&mut binary, S3, Payload::Bytes(b""), now).unwrap_err();
    assert_eq!(error, InjectError::Signing("a header to be signed is not ASCII"));
    let fields = CredentialFields::from_pairs([("token", Secret::new("12345678".to_owned()))], &[]).unwrap();
    let mut head = head("GET", "https://sqs.us-east-1.amazonaws.com/", &[]);
    let error = crate::inject::inject(&Injection::AwsSigv4, &fields, &mut head, Payload::Bytes(b""), now)
        .unwrap_err();
    assert_eq!(error, InjectError::MissingField(AWS_ACCESS_KEY_ID.into()));
}

#[test]
fn what_must_not_come_back() {
    let mut head = head("GET", "https://sqs.us-east-1.amazonaws.com/", &[]);
    let fields = credential(S3, Some("session-token"));
    let now = at("2026-11-22T00:00:00Z");
    let injected =
        crate::inject::inject(&Injection::AwsSigv4, &fields, &mut head, Payload::Bytes(b""), now).unwrap();
    let signature = authorization(&head).rsplit_once('=').unwrap().1;
    let values: Vec<_> = injected.values.iter().map(|v| v.expose_secret().as_str()).collect();
    assert_eq!(values, [S3.1, "session-token", signature]);
    assert!(
        ["authorization", "x-amz-date", "x-amz-security-token"]
            .iter()
            .all(|n| head.headers[*n].is_sensitive())
    );
}

#[test]
fn only_s3_takes_a_body_that_was_not_hashed() {
    let needs = |injection: &Injection, url: &str| needs_whole_body(injection, &Url::parse(url).unwrap());
    assert!(needs(&Injection::AwsSigv4, "https://sqs.us-east-1.amazonaws.com/"));
    assert!(needs(&Injection::AwsSigv4, "https://example.com/"));
    assert!(!needs(&Injection::AwsSigv4, "https://b.s3.us-east-1.amazonaws.com/"));
    assert!(!needs(&Injection::bearer(), "https://sqs.us-east-1.amazonaws.com/"));
}

proptest! {
    #[test]
    fn second_implementation_agrees_on_any_path_and_query(
        path in "(/[ -~\u{e4}\u{4e2d}]{0,12}){0,4}",
        query in "[ -~\u{e4}]{0,30}",
        body in proptest::collection::vec(any::<u8>(), 0..40),
        host in prop_oneof![Just("b.s3.eu-west-1.amazonaws.com"), Just("x.execute-api.eu-west-1.amazonaws.com")],
    ) {
        let mut url = Url::parse(&format!("https://{host}/")).unwrap();
        url.set_path(&path);
        url.set_query(Some(&query));
        let mut head = head("POST", url.as_str(), &[]);
        let payload = Payload::Bytes(&body);
        let decodes = |part: &str| percent_decode_str(part).decode_utf8().is_ok();
        let decodes = decodes(url.path()) && decodes(url.query().unwrap_or_default());
        let signed = inject(&mut head, SUITE, payload, at("2026-11-22T07:08:09Z"));
        prop_assert_eq!(signed.is_ok(), decodes);
        prop_assume!(decodes);
        let expected = verifier::signature(&head, payload, SUITE.1);
        prop_assert_eq!(authorization(&head).rsplit_once('=').unwrap().1, expected);
    }

    #[test]
    fn canonical_paths_stay_as_they_are_and_name_the_same_key(key in "[ -~\u{e4}\u{4e2d}]{1,30}") {
        let mut url = Url::parse("https://b.s3.eu-west-1.amazonaws.com/").unwrap();
        url.path_segments_mut().unwrap().clear().push("k").push(&key);
        let before: Vec<u8> = percent_decode_str(url.path()).collect();
        canonicalise_path(&mut url);
        let once = url.path().to_owned();
        prop_assert_eq!(percent_decode_str(&once).collect::<Vec<u8>>(), before);
        canonicalise_path(&mut url);
        prop_assert_eq!(url.path(), once);
    }
}
