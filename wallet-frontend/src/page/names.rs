//! Who is spoken of, by the names that people know.

use alter_api_types::{
    AgentId, AppId,
    wallet::{AgentCard, Overview},
};

use crate::{state::Find, text::record, ui::agent_name, visible::visible_line};

/// The user's overview, where it is known, and agents that occur outside it.
#[derive(Clone, Copy)]
pub struct Cast<'a>(pub Option<&'a Overview>, pub &'a [AgentCard]);

impl Cast<'_> {
    pub fn app(self, id: Option<AppId>) -> String {
        let known = self.0.zip(id).and_then(|(all, id)| all.app(id));
        known.map_or_else(|| record::SOME_APP.to_owned(), |app| visible_line(&app.name))
    }

    pub fn agent(self, id: AgentId) -> String {
        let known = self.0.and_then(|all| all.agent(id));
        let known = known.or_else(|| self.1.iter().find(|agent| agent.agent_id == id));
        known.map_or_else(|| record::SOME_AGENT.to_owned(), agent_name)
    }

    pub fn provider(self, id: Option<&str>) -> String {
        let Some(id) = id else { return record::SOME_PROVIDER.to_owned() };
        let known = self.0.and_then(|all| all.grants.iter().find(|grant| grant.provider_id == id));
        known.map_or_else(|| capital(&visible_line(id)), |grant| visible_line(&grant.provider_name))
    }
}

/// The words with their first letter large.
pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
