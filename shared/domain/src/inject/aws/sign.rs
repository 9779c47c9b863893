//! Signature Version 4, with AWS's own signer.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

use std::{borrow::Cow, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign as aws_sign,
    },
    sign::v4::SigningParams,
};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use super::AwsScope;
use crate::{
    inject::{
        apply::{InjectError, OutgoingHead, Payload, has_parameter},
        fields::CredentialFields,
        rule::{AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, Injection},
    },
    secret::Secret,
};

/// Headers that the signature sets; a caller's would be signed in their place or beside them.
const OWN_HEADERS: [&str; 5] =
    ["authorization", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

/// Query parameters of a presigned URL: AWS refuses a request that is signed twice, and a caller must not choose.
const OWN_PARAMETERS: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// Signed when present, beside `host` and every `x-amz-` header. What else a caller sends may be changed on the way
/// without harm and is left out, so that a proxy that touches it does not break the signature.
const SIGNED_HEADERS: [&str; 4] = ["content-md5", "content-type", "date", "range"];

/// All but RFC 3986's unreserved characters: what AWS encodes in a path segment.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether the whole body must be at hand for [`inject`](crate::inject::inject): only S3 takes a request whose body
/// was not hashed.
pub fn needs_whole_body(injection: &Injection, url: &Url) -> bool {
    let s3 = || url.host_str().and_then(AwsScope::of_host).is_some_and(|scope| scope.is_s3());
    matches!(injection, Injection::AwsSigv4) && !s3()
}

/// Signs the head for the region and service of its host and returns the signature.
pub(in crate::inject) fn sign(
    fields: &CredentialFields,
    head: &mut OutgoingHead,
    payload: Payload<'_>,
    now: Timestamp,
) -> Result<Secret<String>, InjectError> {
    let host = head.url.host_str().unwrap_or_default().to_owned();
    let scope = AwsScope::of_host(&host).ok_or_else(|| InjectError::UnknownAwsHost(host.clone()))?;
    sign_for(scope, fields, head, payload, now)
}

fn sign_for(
    scope: AwsScope<'_>,
    fields: &CredentialFields,
    head: &mut OutgoingHead,
    payload: Payload<'_>,
    now: Timestamp,
) -> Result<Secret<String>, InjectError> {
    refuse_own(head)?;
    // AWS's names are UTF-8; of other octets there is no canonical form on which all its services agree.
    for part in [head.url.path(), head.url.query().unwrap_or_default()] {
        percent_decode_str(part).decode_utf8().map_err(|_| InjectError::Signing("the URL is not UTF-8"))?;
    }
    if scope.is_s3() {
        canonicalise_path(&mut head.url);
    }
    let settings = settings(scope, payload);
    let identity = credentials(fields)?.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(SystemTime::from(now))
        .settings(settings)
        .build()
        .map_err(|_| InjectError::Signing("incomplete parameters"))?
        .into();
    let headers = signed_headers(head)?;
    let body = match payload {
        Payload::Bytes(bytes) => SignableBody::Bytes(bytes),
        Payload::Streaming => SignableBody::UnsignedPayload,
    };
    let request = SignableRequest::new(head.method.as_str(), head.url.as_str(), headers.into_iter(), body)
        .map_err(|_| InjectError::Signing("the URL is not one that can be signed"))?;
    // The error may quote the request: it is dropped, not wrapped.
    let (instructions, signature) =
        aws_sign(request, &params).map_err(|_| InjectError::Signing("not signable"))?.into_parts();
    let signature = Secret::new(signature);
    for header in instructions.into_parts().0 {
        let mut value = HeaderValue::from_str(header.value())
            .map_err(|_| InjectError::NotAHeaderValue(header.name().to_owned()))?;
        value.set_sensitive(true);
        head.headers.insert(HeaderName::from_static(header.name()), value);
    }
    Ok(signature)
}

fn refuse_own(head: &OutgoingHead) -> Result<(), InjectError> {
    let header = OWN_HEADERS.iter().find(|name| head.headers.contains_key(**name));
    let parameter = || OWN_PARAMETERS.iter().find(|name| has_parameter(&head.url, name));
    match header.or_else(parameter) {
        Some(name) => Err(InjectError::CallerSetsInjected((*name).to_owned())),
        None => Ok(()),
    }
}

fn settings(scope: AwsScope<'_>, payload: Payload<'_>) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if scope.is_s3() {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    // S3 and OpenSearch Serverless demand the header; without a hash it says so to any service.
    if scope.is_s3() || scope.service == "aoss" || matches!(payload, Payload::Streaming) {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

fn credentials(fields: &CredentialFields) -> Result<Credentials, InjectError> {
    let get = |name: &str| fields.get(name).map(|value| value.expose_secret().clone());
    let required = |name: &str| get(name).ok_or_else(|| InjectError::MissingField(name.to_owned()));
    let (id, key) = (required(AWS_ACCESS_KEY_ID)?, required(AWS_SECRET_ACCESS_KEY)?);
    Ok(Credentials::new(id, key, get(AWS_SESSION_TOKEN), None, "vault"))
}

fn signed_headers(head: &OutgoingHead) -> Result<Vec<(&str, &str)>, InjectError> {
    let wanted = |name: &str| name.starts_with("x-amz-") || SIGNED_HEADERS.contains(&name);
    head.headers
        .iter()
        .filter(|(name, _)| wanted(name.as_str()))
        .map(|(name, value)| match value.to_str() {
            Ok(value) => Ok((name.as_str(), value)),
            Err(_) => Err(InjectError::Signing("a header to be signed is not ASCII")),
        })
        .collect()
}

/// S3 decodes the path it receives, encodes it by its own rule, and compares: the path must leave in that form.
fn canonicalise_path(url: &mut Url) {
    let path = url.path();
    let canonical: Vec<Cow<'_, str>> = path.split('/').map(canonical_segment).collect();
    let canonical = canonical.join("/");
    if canonical != path {
        url.set_path(&canonical);
    }
}

fn canonical_segment(segment: &str) -> Cow<'_, str> {
    let decoded = percent_decode_str(segment);
    match decoded.decode_utf8() {
        Ok(text) => utf8_percent_encode(&text, ENCODED).to_string().into(),
        Err(_) => segment.into(),
    }
}

#[cfg(test)]
#[path = "sign_tests.rs"]
mod tests;
