//! The second half of the call: from the right to open a credential to the provider's answer. The credential exists in
//! between, in this file and `inject`, and nowhere else.

use std::sync::Arc;

use alter_api_types::{GrantId, OrgId};
use axum::body::Body;
use http::StatusCode;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::{CallBody, CallService, Need, call::egress_error};
use crate::{
    egress::Target,
    error::{Error, Result},
    inject::{InjectError, OutgoingHead, Payload, inject, needs_whole_body},
    model::SealedCredential,
    policy::{Authorized, Source},
    redact::Redactor,
};

/// An opened credential with what it came from.
pub(super) struct Opened {
    grant_id: GrantId,
    pub(super) source: Source,
    credential: Arc<SealedCredential>,
    fields: crate::inject::CredentialFields,
}

/// A call that the provider has answered.
pub(super) struct Sent {
    pub(super) response: http::Response<Body>,
    pub(super) request_bytes: Option<u64>,
    pub(super) redacted: bool,
}

impl CallService {
    pub(super) async fn open(&self, authorized: Authorized) -> Result<Opened> {
        let org = authorized.org();
        let (grant, source, credential) = authorized.into_parts();
        self.opened(org, grant.id, source, credential).await
    }

    /// Opens what a refresh gives.
    pub(super) async fn refresh(
        &self,
        authorized: Authorized,
        need: Need,
        deadline: Instant,
    ) -> Result<Opened> {
        let org = authorized.org();
        let (grant, source, credential) = authorized.into_parts();
        let (source, credential) = match source {
            Source::OAuth { connection, provider } => {
                let fresh =
                    self.refresher.fresh(connection, credential, provider.clone(), need, grant.id, deadline);
                let (connection, credential) = fresh.await?;
                (Source::OAuth { connection, provider }, credential)
            }
            Source::Secret(_) => (source, credential),
        };
        self.opened(org, grant.id, source, credential).await
    }

    async fn opened(
        &self,
        org: OrgId,
        grant_id: GrantId,
        source: Source,
        credential: Arc<SealedCredential>,
    ) -> Result<Opened> {
        let fields = self.opener.open(org, &credential).await?;
        Ok(Opened { grant_id, source, credential, fields })
    }

    /// Sends, and once again when the provider refuses a token that can be refreshed: some say when a token has expired in no
    /// other way. A body that streams is gone by then; the next call refreshes.
    pub(super) async fn deliver(
        &self,
        opened: Opened,
        (target, head, body): (Target, OutgoingHead, CallBody),
        deadline: Instant,
        now: Timestamp,
    ) -> Result<Sent> {
        let again = match (&opened.source, &body) {
            (Source::OAuth { connection, provider }, CallBody::Bytes(bytes))
                if connection.tokens.refreshable =>
            {
                let tokens = (Arc::clone(connection), Arc::clone(provider), Arc::clone(&opened.credential));
                Some((tokens, opened.grant_id, (target.clone(), head.clone(), bytes.clone())))
            }
            _ => None,
        };
        let connection = match &opened.source {
            Source::OAuth { connection, .. } => Some(Arc::clone(connection)),
            Source::Secret(_) => None,
        };
        let sent = self.send(opened, (target, head, body), deadline, now).await?;
        let Some(connection) = connection else { return Ok(sent) };
        if sent.response.status() != StatusCode::UNAUTHORIZED {
            return Ok(sent);
        }
        // From here on the provider's own answer says more than whatever keeps the vault from a better one.
        let worth_it = self.refresher.refused(&connection).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a refused token was not marked");
            false
        });
        let (Some((tokens, grant_id, (target, head, body))), true) = (again, worth_it) else {
            return Ok(sent);
        };
        let (connection, provider, credential) = tokens;
        let org = connection.org_id;
        let config = Arc::clone(&provider);
        let fresh = self.refresher.fresh(connection, credential, config, Need::Now, grant_id, deadline);
        let Ok((connection, credential)) = fresh.await else { return Ok(sent) };
        if target.check_hosts(&connection.delivery.allowed_hosts).is_err() {
            return Ok(sent);
        }
        let source = Source::OAuth { connection, provider };
        let Ok(opened) = self.opened(org, grant_id, source, credential).await else { return Ok(sent) };
        self.send(opened, (target, head, CallBody::Bytes(body)), deadline, now).await
    }

    /// Injects and sends. The credential's plaintext ends its life here, but for the reply scanner's patterns.
    async fn send(
        &self,
        opened: Opened,
        (target, mut head, body): (Target, OutgoingHead, CallBody),
        deadline: Instant,
        now: Timestamp,
    ) -> Result<Sent> {
        let injection = opened.source.injection();
        let body = match body {
            CallBody::Stream(stream) if needs_whole_body(injection, &head.url) => {
                CallBody::Bytes(super::respond::whole_body(stream).await?)
            }
            other => other,
        };
        let payload = match &body {
            CallBody::Bytes(bytes) => Payload::Bytes(bytes),
            CallBody::Stream(_) => Payload::Streaming,
        };
        let injected =
            inject(injection, &opened.fields, &mut head, payload, now).map_err(|error| match error {
                InjectError::CallerSetsInjected(name) => Error::ForbiddenHeader(name),
                other => Error::field("credential_not_injectable", other.to_string()),
            })?;
        let redactor = Redactor::new(&injected.values);
        let target = if head.url == *target.url() {
            target
        } else {
            // An injected query parameter changed the URL, not where it leads.
            Target::parse(head.url.as_str(), &self.rules).map_err(egress_error)?
        };
        // Of the very credential that is sent: a connection may have been renewed, for other hosts, since the call was allowed.
        target.check_hosts(opened.source.allowed_hosts()).map_err(egress_error)?;
        let (body, request_bytes) = match body {
            CallBody::Bytes(bytes) => {
                let length = bytes.len() as u64;
                (Body::from(bytes), Some(length))
            }
            CallBody::Stream(stream) => (stream, None),
        };
        let mut request = http::Request::new(body);
        *request.method_mut() = head.method;
        *request.uri_mut() = target.uri();
        *request.headers_mut() = head.headers;
        let response =
            timeout_at(deadline, self.http.send(request)).await.map_err(|_| Error::UpstreamTimeout)??;
        let (response, redacted) = super::respond::clean(response, redactor)?;
        Ok(Sent { response, request_bytes, redacted })
    }
}
