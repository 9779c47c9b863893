//! Does a call that names its user by a token cost more than one that names its grant? All are made with one vault, in turns.

use std::{net::SocketAddr, path::Path, sync::Arc};

use alter_domain::port::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::{
    Failure,
    args::Options,
    gateway,
    issuer::{Issuer, claims, group},
    load::{Target, Until, closed, once},
    process::Server,
    quiet, report,
    sign::{VaultCall, Work},
    stats::{Cell, median, median_cell},
    vault::{Access, Durability, Vault, data_directory, prove, token_file},
};

/// How many groups the second user is in; each is a question to the store more.
const GROUPS: usize = 20;

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let binary = options.vault.as_deref().ok_or("--vault is needed")?;
    let (_upstream, upstream) = Server::own(&["upstream"])?;
    let data = data_directory()?;
    let vault = Vault::start(binary, data.path(), Durability::Process)?;
    let targets = Setup::new(&vault, data.path(), upstream)?.targets()?;
    println!(
        "{}\n| connections | by grant id, p50 µs / calls per s | by provider and token | p50 ÷ | calls ÷ | \
         token with {GROUPS} groups | p50 ÷ | calls ÷ |",
        report::machine()
    );
    println!("|---|---|---|---|---|---|---|---|");
    for connections in &options.connections {
        let mut cells: [Vec<Cell>; 3] = Default::default();
        for target in &targets {
            closed(target, *connections, Until::Calls(2_000))?;
        }
        for _ in 0..options.rounds {
            for (target, cells) in targets.iter().zip(&mut cells) {
                quiet::settle(vault.server.id())?;
                cells.push(closed(target, *connections, Until::Elapsed(options.window))?);
            }
        }
        let [by_id, others @ ..] = &cells;
        let shown = |cell: &Cell| format!("{:.0} / {:.0}", cell.p50, cell.rate);
        let mut line = format!("| {connections} | {} |", shown(&median_cell(by_id)));
        for other in others {
            let ratio = |of: fn(&Cell) -> f64| {
                median(by_id.iter().zip(other).map(|(base, cell)| of(cell) / of(base)))
            };
            let (p50, rate) = (ratio(|cell| cell.p50), ratio(|cell| cell.rate));
            line.push_str(&format!(" {} | {p50:.2} | {rate:.2} |", shown(&median_cell(other))));
        }
        println!("{line}");
    }
    Ok(())
}

/// A vault whose app has an identity provider and two users with grants on the same secret: one's own, and one by a group.
struct Setup<'a> {
    vault: &'a Vault,
    upstream: SocketAddr,
    access: Access,
    operator: String,
    /// Provider of the grants.
    provider: String,
    secret: String,
    /// With a grant of their own, in no group.
    alone: String,
    /// With a grant by one of their groups.
    grouped: String,
    idp: String,
}

impl<'a> Setup<'a> {
    fn new(vault: &'a Vault, data: &Path, upstream: SocketAddr) -> Result<Self, Failure> {
        let access = vault.set_up(data, upstream)?;
        let operator = std::fs::read_to_string(token_file(data))?.trim().to_owned();
        let app = access.app;
        let grant = access.grants.first().ok_or("no grant")?;
        let grant = gateway::get(vault.address, &format!("/portal/v1/apps/{app}/grants/{grant}"), &operator)?;
        let (provider, secret) =
            (gateway::text(&grant, "/provider_id")?, gateway::text(&grant, "/secret_id")?);

        let issuer = Issuer::new()?;
        let at = issuer.serve()?;
        let idp = json!({ "issuer": at, "claims": { "groups": "groups" } });
        let path = format!("/portal/v1/apps/{app}/identity-provider");
        let idp = gateway::text(&gateway::post(vault.address, &path, &operator, &idp)?, "/idp_id")?;
        let now = SystemClock.now().as_second();
        let alone = issuer.token("ES256", &claims(&at, "alone", now, 0))?;
        let grouped = issuer.token("ES256", &claims(&at, "grouped", now, GROUPS))?;
        Ok(Self { vault, upstream, access, operator, provider, secret, alone, grouped, idp })
    }

    /// The calls, each tried: by grant id, by a user's own grant, by that of a group.
    fn targets(&self) -> Result<[Target; 3], Failure> {
        // The first token makes its user known; there is nothing for them yet.
        once(&self.by_token(&self.alone)?)?;
        let users = format!("/portal/v1/apps/{}/users", self.access.app);
        let users = gateway::get(self.vault.address, &users, &self.operator)?;
        let user = gateway::text(&users, "/items/0/user_id")?;
        self.grant(&json!({ "type": "user", "user_id": user }))?;
        let group = json!({ "type": "group", "idp_id": self.idp, "external_group_id": group(GROUPS / 2) });
        self.grant(&group)?;
        let targets = [
            self.vault.target(&self.access, self.upstream)?,
            self.by_token(&self.alone)?,
            self.by_token(&self.grouped)?,
        ];
        targets.iter().try_for_each(prove)?;
        Ok(targets)
    }

    fn grant(&self, principal: &Value) -> Result<(), Failure> {
        let path = format!("/portal/v1/apps/{}/grants", self.access.app);
        let label = gateway::text(principal, "/type")?;
        let body = json!({ "secret_id": self.secret, "principal": principal, "label": label });
        gateway::post(self.vault.address, &path, &self.operator, &body).map(drop)
    }

    fn by_token(&self, token: &str) -> Result<Target, Failure> {
        let ask = json!({ "provider_id": self.provider, "user_token": token });
        let call = VaultCall::asking(&self.access.key, &[ask], &format!("http://{}", self.upstream))?;
        Ok(Target { address: self.vault.address, work: Work::Vault(Arc::new(call)) })
    }
}
