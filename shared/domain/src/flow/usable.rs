//! What a user may use in an app: what was granted to them, and to their groups.

use alter_api_types::AppId;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::identity::Identified;
use crate::{
    error::Result,
    repo::{GrantFilter, Grants, Listing, MAX_LISTED, PrincipalFilter},
    state::Ports,
};

/// How many lists are read at a time.
const LISTS: usize = 32;

/// From how many principals on they are not asked about one by one.
const MANY_PRINCIPALS: usize = 64;

/// The matching grants of a user and their groups, newest first; the filter's own principal does not count.
pub async fn usable_grants(
    ports: &Ports,
    app: AppId,
    user: &Identified,
    filter: &GrantFilter,
    now: Timestamp,
) -> Result<Listing> {
    let grants = Grants(ports.table.as_ref());
    if user.principals().nth(MANY_PRINCIPALS).is_some() {
        // One list of the app's grants instead of hundreds.
        let filter = GrantFilter { principal: PrincipalFilter::Any, ..filter.clone() };
        let mut all = grants.search(app, &filter, now, (0, MAX_LISTED)).await?;
        all.grants.retain(|grant| user.is(&grant.principal));
        all.total = all.grants.len();
        return Ok(all);
    }
    let list = |principal| {
        let filter = GrantFilter { principal: PrincipalFilter::Exactly(principal), ..filter.clone() };
        let grants = &grants;
        async move { grants.search(app, &filter, now, (0, MAX_LISTED)).await }
    };
    let mut lists = stream::iter(user.principals().map(list)).buffer_unordered(LISTS);
    let mut all = Listing { grants: Vec::new(), total: 0, truncated: false };
    while let Some(listing) = lists.try_next().await? {
        all.truncated |= listing.truncated;
        all.grants.extend(listing.grants);
    }
    all.grants.retain(|grant| user.is(&grant.principal));
    // Ids are of their time.
    all.grants.sort_unstable_by_key(|grant| std::cmp::Reverse(grant.id));
    all.truncated |= all.grants.len() > MAX_LISTED;
    all.grants.truncate(MAX_LISTED);
    all.total = all.grants.len();
    Ok(all)
}
