//! All grants of a user, in every app of the organization.

use alter_api_types::{AppId, OrgId, UserId};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

use crate::{
    error::{Error, Result},
    model::{App, Grant, Principal},
    repo::{Apps, GrantFilter, Grants, Listed, PrincipalFilter},
    state::Ports,
};

/// How many apps, or grants, are read at a time.
const PAGE: usize = 256;
/// In how many apps the user's grants are looked for at a time.
const AT_ONCE: usize = 16;

/// The user's grants, whatever their state, by pages of one app each, in no order. An app in which the user has none gives an
/// empty page. From indexes.
pub(super) fn grants(
    ports: &Ports,
    org: OrgId,
    user: UserId,
) -> impl Stream<Item = Result<(AppId, Vec<Grant>)>> + Send {
    let apps = pages(move |cursor| async move { Apps(ports.table.as_ref()).list(org, PAGE, cursor).await });
    let of_app = move |app: AppId| {
        let page = move |cursor| async move {
            let principal = PrincipalFilter::Exactly(Principal::User { user_id: user });
            let filter = GrantFilter { principal, ..GrantFilter::all() };
            Grants(ports.table.as_ref()).page(app, &filter, ports.clock.now(), PAGE, cursor).await
        };
        pages(page).map_ok(move |grants| (app, grants)).boxed()
    };
    apps.map_ok(|apps| stream::iter(apps).map(Ok::<App, Error>))
        .try_flatten()
        .map_ok(move |app| of_app(app.id))
        .try_flatten_unordered(AT_ONCE)
}

/// The pages of a list, one after the other.
fn pages<T, F>(list: impl Fn(Option<String>) -> F + Send) -> impl Stream<Item = Result<Vec<T>>> + Send
where
    T: Send,
    F: Future<Output = Result<Listed<T>>> + Send,
{
    stream::try_unfold((list, Some(None)), |(list, next)| async move {
        let Some(cursor) = next else { return Ok(None) };
        let page = list(cursor).await?;
        Ok(Some((page.items, (list, page.next.map(Some)))))
    })
}
