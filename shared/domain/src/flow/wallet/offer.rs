//! What somebody who is not signed in may see: through which apps they can.

use alter_api_types::AppId;

use super::WalletService;
use crate::{
    error::Result,
    keyspace,
    model::{App, IdentityProvider},
    port::TableName,
    repo::{Apps, decode},
};

/// How many apps are offered to everybody.
const OFFERED: usize = 100;

impl WalletService {
    /// The app that was named, and those that are offered to everybody, by name: each as long as people can sign in through it. One
    /// that is archived is not offered, but whoever names it may look at what they granted, and end it.
    pub async fn offer(&self, named: Option<AppId>) -> Result<(Option<App>, Vec<App>)> {
        let table = self.ports.table.as_ref();
        let mut listed = Apps(table).listed(OFFERED).await?;
        let idps = listed.iter().map(|app| keyspace::identity_provider(app.id));
        let keys = named.iter().flat_map(|id| [keyspace::app(*id), keyspace::identity_provider(*id)]);
        let keys: Vec<_> = keys.chain(idps).map(|key| (TableName::Main, key)).collect();
        let items = table.get_many(&keys).await?;
        let mut items = items.iter().map(Option::as_ref);
        let mut next = || items.next().flatten();
        let app: Option<App> = match named {
            Some(_) => {
                let (app, idp) = (next(), next());
                let lets_in = lets_in(idp.map(decode).transpose()?.as_ref());
                app.filter(|_| lets_in).map(decode).transpose()?
            }
            None => None,
        };
        let mut offered = Vec::new();
        for app in listed.drain(..) {
            if lets_in(next().map(decode).transpose()?.as_ref()) {
                offered.push(app);
            }
        }
        offered.sort_by_cached_key(|app| (app.name.to_lowercase(), app.id));
        Ok((app, offered))
    }
}

fn lets_in(idp: Option<&IdentityProvider>) -> bool {
    idp.is_some_and(|idp| idp.client.is_some())
}
