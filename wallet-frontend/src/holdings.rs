//! What a person's grants come to: one row for each, agents' grants with the own one that they hang on, and a sum per app.

use std::sync::{Arc, Mutex, PoisonError};

use alter_api_types::{
    Timestamp,
    portal::GrantStatus,
    wallet::{AppCard, GrantCard, Holder, Overview},
};

/// What is made of an overview, made once for each overview however many ask.
pub struct Derived<T> {
    make: fn(&Overview) -> Vec<T>,
    last: Arc<Mutex<Option<Made<T>>>>,
}

type Made<T> = (Arc<Overview>, Arc<Vec<T>>);

impl<T> Clone for Derived<T> {
    fn clone(&self) -> Self {
        Self { make: self.make, last: Arc::clone(&self.last) }
    }
}

impl<T> Derived<T> {
    pub fn new(make: fn(&Overview) -> Vec<T>) -> Self {
        Self { make, last: Arc::default() }
    }

    pub fn of(&self, overview: Option<Arc<Overview>>) -> Arc<Vec<T>> {
        let Some(overview) = overview else { return Arc::default() };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, made)) = &*last
            && Arc::ptr_eq(known, &overview)
        {
            return Arc::clone(made);
        }
        let made = Arc::new((self.make)(&overview));
        *last = Some((overview, Arc::clone(&made)));
        made
    }
}

/// One grant as a page shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub grant: GrantCard,
    /// Agents' grants on the same connection that stand or ended as this one did.
    pub agents: Vec<GrantCard>,
}

/// Whether something can be done with it now, or could be once the account is connected again.
pub fn is_live(grant: &GrantCard) -> bool {
    grant.status == GrantStatus::Active
}

/// Every grant once, newest first: an agent's under the own grant on the same connection, if that is there and as alive.
pub fn rows(overview: &Overview) -> Vec<Row> {
    let grants = &overview.grants;
    let belongs = |agent: &GrantCard, own: &GrantCard| {
        own.holder == Holder::You
            && matches!(agent.holder, Holder::Agent { .. })
            && agent.connection_id.is_some()
            && agent.connection_id == own.connection_id
            && is_live(agent) == is_live(own)
    };
    grants
        .iter()
        .filter(|grant| !grants.iter().any(|own| belongs(grant, own)))
        .map(|grant| Row {
            grant: grant.clone(),
            agents: grants.iter().filter(|agent| belongs(agent, grant)).cloned().collect(),
        })
        .collect()
}

/// What an app has.
#[derive(Debug, Clone, PartialEq)]
pub struct AppSum {
    pub app: AppCard,
    /// That can be used, or could once the account is connected again.
    pub live: usize,
    /// Of these, the ones to connect again.
    pub broken: usize,
    pub ended: usize,
    pub last_used_at: Option<Timestamp>,
    /// Agents that hold a grant of their own.
    pub agents: usize,
}

/// By app, in the order of `overview.apps`.
pub fn apps(overview: &Overview) -> Vec<AppSum> {
    let rows = rows(overview);
    overview.apps.iter().map(|app| sum(app, &rows)).collect()
}

fn sum(app: &AppCard, rows: &[Row]) -> AppSum {
    let of = |row: &&Row| row.grant.app_id == app.app_id;
    let live = || rows.iter().filter(of).filter(|row| is_live(&row.grant));
    let mut agents: Vec<_> = live()
        .flat_map(|row| {
            let holders = row.agents.iter().chain([&row.grant]).filter_map(|grant| match grant.holder {
                Holder::Agent { agent_id } => Some(agent_id),
                _ => None,
            });
            holders.chain(row.grant.agent_ids.iter().copied())
        })
        .collect();
    agents.sort_unstable();
    agents.dedup();
    AppSum {
        app: app.clone(),
        live: live().count(),
        broken: live().filter(|row| row.grant.reconnect.is_some()).count(),
        ended: rows.iter().filter(of).filter(|row| !is_live(&row.grant)).count(),
        last_used_at: rows
            .iter()
            .filter(of)
            .flat_map(|row| row.agents.iter().chain([&row.grant]))
            .filter_map(|grant| grant.last_used_at)
            .max(),
        agents: agents.len(),
    }
}

/// Which rows a page of connections shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    #[default]
    All,
    Active,
    NeedsYou,
    Ended,
}

impl Standing {
    pub const EACH: [Self; 4] = [Self::All, Self::Active, Self::NeedsYou, Self::Ended];

    /// As addresses have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Active => "active",
            Self::NeedsYou => "reconnect",
            Self::Ended => "ended",
        }
    }

    pub fn named(name: &str) -> Self {
        Self::EACH.into_iter().find(|it| it.name() == name).unwrap_or_default()
    }

    pub fn has(self, grant: &GrantCard) -> bool {
        match self {
            Self::All => true,
            Self::Active => is_live(grant) && grant.reconnect.is_none(),
            Self::NeedsYou => is_live(grant) && grant.reconnect.is_some(),
            Self::Ended => !is_live(grant),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "0198c2f4-7b1e-7c3a-9d52-000000000001";
    const AGENT: &str = "0198c2f4-7b1e-7c3a-9d52-000000000009";

    fn overview(grants: Vec<GrantCard>) -> Overview {
        let app = AppCard {
            app_id: APP.parse().unwrap(),
            name: "Trips".into(),
            description: None,
            website_url: None,
            branding: Default::default(),
        };
        Overview {
            user_id: APP.parse().unwrap(),
            apps: vec![app],
            agents: vec![],
            grants,
            truncated: false,
            pending_approvals: 0,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    fn grant(n: u8, holder: Holder, connection: Option<u8>, status: GrantStatus) -> GrantCard {
        let id = |n: u8| format!("0198c2f4-7b1e-7c3a-9d52-0000000001{n:02}");
        GrantCard {
            grant_id: id(n).parse().unwrap(),
            app_id: APP.parse().unwrap(),
            provider_id: "google".into(),
            provider_name: "Google".into(),
            kind: alter_api_types::portal::GrantKind::Oauth,
            connection_id: connection.map(|n| id(n).parse().unwrap()),
            holder,
            label: None,
            account: None,
            scopes: vec![],
            status,
            reconnect: None,
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            last_used_at: None,
            agent_ids: vec![],
            may_revoke: true,
            extendable_to: None,
            ended: None,
        }
    }

    fn agent() -> Holder {
        Holder::Agent { agent_id: AGENT.parse().unwrap() }
    }

    #[test]
    fn an_agents_grant_stands_under_the_own_one_on_its_connection() {
        let found = rows(&overview(vec![
            grant(1, Holder::You, Some(7), GrantStatus::Active),
            grant(2, agent(), Some(7), GrantStatus::Active),
            grant(3, agent(), Some(8), GrantStatus::Active),
        ]));
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].agents.len(), 1);
        assert!(found[1].agents.is_empty());
    }

    #[test]
    fn an_agents_grant_is_never_hidden_by_an_own_one_that_ended() {
        let found = rows(&overview(vec![
            grant(1, Holder::You, Some(7), GrantStatus::Revoked),
            grant(2, agent(), Some(7), GrantStatus::Active),
        ]));
        assert_eq!(found.len(), 2);
        let found = rows(&overview(vec![
            grant(1, Holder::You, Some(7), GrantStatus::Active),
            grant(2, agent(), Some(7), GrantStatus::Revoked),
        ]));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn every_grant_is_shown_once() {
        let holders = || [Holder::You, Holder::Group { name: "g".into() }, agent()];
        for a in holders() {
            for b in holders() {
                for connection in [None, Some(7)] {
                    let grants = vec![
                        grant(1, a.clone(), connection, GrantStatus::Active),
                        grant(2, b.clone(), connection, GrantStatus::Expired),
                        grant(3, b.clone(), connection, GrantStatus::Active),
                    ];
                    let found = rows(&overview(grants));
                    let shown: usize = found.iter().map(|row| 1 + row.agents.len()).sum();
                    assert_eq!(shown, 3);
                }
            }
        }
    }

    #[test]
    fn an_app_counts_what_lives_and_when_it_was_last_used() {
        let mut own = grant(1, Holder::You, Some(7), GrantStatus::Active);
        own.last_used_at = Timestamp::from_second(5).ok();
        let mut of_agent = grant(2, agent(), Some(7), GrantStatus::Active);
        of_agent.last_used_at = Timestamp::from_second(9).ok();
        let sums = apps(&overview(vec![own, of_agent, grant(3, Holder::You, None, GrantStatus::Expired)]));
        assert_eq!((sums[0].live, sums[0].ended, sums[0].agents, sums[0].broken), (1, 1, 1, 0));
        assert_eq!(sums[0].last_used_at, Timestamp::from_second(9).ok());
    }

    #[test]
    fn a_standing_is_read_from_the_address_and_an_unknown_one_is_all() {
        for standing in Standing::EACH {
            assert_eq!(Standing::named(standing.name()), standing);
        }
        assert_eq!(Standing::named("<b>"), Standing::All);
    }
}
