//! `POST /sdk/identity/resolve` (wire protocol section 4.8): the ids by which an app keys what it keeps of its users.

use std::sync::Arc;

use alter_api_types::{
    UserId,
    sign_in::{IdentityContext, IdentityTrace, ResolveIdentity},
};
use alter_domain::{
    Error, Result,
    flow::{Attribution, Caller},
    model::{Membership, User, UserState},
    repo::{IdentityProviders, Users},
    web::{PeerIp, read_json},
};
use axum::{
    Json,
    extract::{Extension, Request, State},
};

use super::api::entered;
use crate::ConnectState;

/// A caller with a user's token learns of that user; one that names a user by id needs the scope for reading users. With neither
/// it learns of itself.
pub(crate) async fn resolve(
    State(state): State<Arc<ConnectState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Json<IdentityContext>> {
    let request = entered(&state, peer, request).await?;
    let caller = &request.caller;
    let input: ResolveIdentity = read_json(&request.body)?;
    let mut context = IdentityContext {
        app_id: caller.app_id,
        app_user_id: None,
        external_subject_id: None,
        idp_id: None,
        user_status: None,
        group_ids: Vec::new(),
        agent_id: caller.agent(),
        trace: trace(&caller.attribution),
        email: None,
        display_name: None,
    };
    let named = match &input.app_user_id {
        Some(id) => Some(id.parse::<UserId>().map_err(|_| Error::NotFound("user"))?),
        None => None,
    };
    match (&input.user_token, named) {
        (Some(token), named) => {
            let user = state.identity.identify(caller.app_id, token.reveal(), &caller.actor()).await?;
            if named.is_some_and(|named| named != user.user_id()) {
                return Err(Error::NotFound("user"));
            }
            describe(&mut context, &user.user, &user.membership, input.include_profile);
        }
        (None, Some(named)) => {
            let (user, membership) = known(&state, caller, named).await?;
            describe(&mut context, &user, &membership, input.include_profile);
        }
        (None, None) => {}
    }
    Ok(Json(context))
}

/// A user of the caller's app. Whoever has left is nobody's any more.
async fn known(state: &ConnectState, caller: &Caller, id: UserId) -> Result<(User, Membership)> {
    caller.scopes.require("idp_users:read")?;
    // No user has given an agent the right to be named by it.
    if caller.agent_key().is_some() {
        return Err(Error::NotFound("user"));
    }
    let table = state.service.ports.table.as_ref();
    let (users, idps) = (Users(table), IdentityProviders(table));
    let membership = users.membership(id, caller.app_id).await?.ok_or(Error::NotFound("user"))?.value;
    let user = users.get(caller.org_id, id).await?.value;
    if matches!(user.state, UserState::Deprovisioned { .. }) {
        return Err(Error::UserDeprovisioned);
    }
    // Groups of an identity provider, or a claim, that the app has no more are nobody's.
    let current = idps.find(caller.app_id).await?.is_some_and(|idp| membership.is_of(&idp.value));
    let groups = if current { membership.groups } else { Default::default() };
    Ok((user, Membership { groups, ..membership }))
}

fn describe(context: &mut IdentityContext, user: &User, membership: &Membership, with_profile: bool) {
    context.app_user_id = Some(user.id);
    context.external_subject_id = Some(user.identity.subject.clone());
    context.idp_id = Some(membership.idp_id);
    context.user_status = Some(user.state.as_str().to_owned());
    context.group_ids = membership.groups.iter().cloned().collect();
    if with_profile {
        context.email.clone_from(&user.email);
        context.display_name.clone_from(&user.name);
    }
}

/// What the call's context says of run and thread.
fn trace(attribution: &Attribution) -> Option<IdentityTrace> {
    let said = |name: &str| attribution.context.get(name).filter(|value| !value.is_empty()).cloned();
    let (run_id, thread_id) = (said("run_id"), said("thread_id"));
    (run_id.is_some() || thread_id.is_some()).then_some(IdentityTrace { run_id, thread_id })
}
