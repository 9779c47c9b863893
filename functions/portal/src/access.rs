//! Who may do what: the guards that stand in the signature of every handler. They run before the body is read.

use std::{marker::PhantomData, net::IpAddr};

use alter_api_types::{AppId, OrgId};
use alter_domain::{
    Error, Result,
    flow::{Change, authenticate_operator, operator_actor},
    model::{Actor, App, OperatorToken, Permission, Surface},
    repo::{Apps, Stored},
    web::PeerIp,
};
use axum::extract::FromRequestParts;
use http::{HeaderMap, header, request::Parts};

use crate::{PortalState, extract::Named};

/// The permission that a handler needs, as a type.
pub(crate) trait Needs: Send + Sync {
    const PERMISSION: Permission;
}

/// Looking.
pub(crate) struct Read;
/// Creating and changing.
pub(crate) struct Write;
/// Revoking, rotating, deleting.
pub(crate) struct Admin;

impl Needs for Read {
    const PERMISSION: Permission = Permission::Read;
}

impl Needs for Write {
    const PERMISSION: Permission = Permission::Write;
}

impl Needs for Admin {
    const PERMISSION: Permission = Permission::Admin;
}

/// An operator with the permission `P`.
pub(crate) struct Operator<P> {
    pub(crate) token: OperatorToken,
    ip: Option<IpAddr>,
    needs: PhantomData<P>,
}

impl<P> Operator<P> {
    /// The operator as the record names it.
    pub(crate) fn actor(&self) -> Actor {
        operator_actor(&self.token, self.ip)
    }
}

/// An operator with the permission `P`, and an app of the operator's organization.
pub(crate) struct InApp<P> {
    pub(crate) app: Stored<App>,
    operator: Operator<P>,
}

impl<P> InApp<P> {
    pub(crate) fn app_id(&self) -> AppId {
        self.app.value.id
    }

    pub(crate) fn ids(&self) -> (OrgId, AppId) {
        (self.app.value.org_id, self.app.value.id)
    }

    pub(crate) fn actor(&self) -> Actor {
        self.operator.actor()
    }

    /// Who changes what, for a flow.
    pub(crate) fn change(&self) -> Change {
        let (org_id, app_id) = self.ids();
        Change { org_id, app_id, actor: self.actor(), surface: Surface::Portal }
    }
}

impl<P: Needs> FromRequestParts<PortalState> for Operator<P> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &PortalState) -> Result<Self> {
        let token = authenticate_operator(&state.ports, bearer(&parts.headers)?).await?;
        token.require(P::PERMISSION)?;
        let ip = parts.extensions.get::<PeerIp>().map(|peer| peer.0);
        Ok(Self { token, ip, needs: PhantomData })
    }
}

impl<P: Needs> FromRequestParts<PortalState> for InApp<P> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &PortalState) -> Result<Self> {
        let operator = Operator::from_request_parts(parts, state).await?;
        let Named(id) = Named::<AppId>::from_request_parts(parts, state).await?;
        let app = Apps(state.ports.table.as_ref()).get(operator.token.org_id, id).await?;
        Ok(Self { app, operator })
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750 section 2.1). Two such headers are none.
fn bearer(headers: &HeaderMap) -> Result<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Error::InvalidOperatorToken) };
    let text = value.to_str().map_err(|_| Error::InvalidOperatorToken)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
        _ => Err(Error::InvalidOperatorToken),
    }
}
