//! What to do if something is wrong: stop it, then tell somebody who can look it up.

use alter_api_types::{portal::GrantStatus, wallet::GrantDetail};
use leptos::prelude::*;

use crate::{
    page::{
        grant_actions::copy_id,
        plain::{el, part, say, tag, words},
    },
    query::encode,
    text::{common, grant as text, record::fill},
    visible::visible_line,
};

pub fn concern(detail: &GrantDetail) -> AnyView {
    let GrantDetail { app, grant, .. } = detail;
    let id = grant.grant_id.to_string();
    let first = match (grant.status, grant.may_revoke) {
        (GrantStatus::Revoked, _) => text::CONCERN_FIRST_DONE,
        (_, false) => text::CONCERN_GROUP,
        _ => text::CONCERN_FIRST,
    };
    let subject = encode(&fill(text::CONCERN_SUBJECT, &[("id", &id)]));
    let site =
        app.website_url.clone().filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let name = visible_line(&app.name);
    let mut ways = Vec::new();
    if let Some(mail) = detail.support_email.as_deref().filter(|mail| is_mail(mail)) {
        let said = fill(text::CONCERN_MAIL, &[("address", &visible_line(mail))]);
        let address = format!("mailto:{}?subject={subject}", encode(mail).replace("%40", "@"));
        ways.push(link(&address, false, vec![words(said)]));
    }
    if let Some(url) = site {
        let said = fill(text::CONCERN_SITE, &[("app", &name)]);
        let outside = say("span", "unseen", format!(" ({})", common::NEW_WINDOW));
        ways.push(link(&url, true, vec![words(said), outside]));
    }
    if ways.is_empty() {
        ways.push(words(text::CONCERN_NOBODY));
    }
    let contact = tag("span", "contacts", ways);
    let copy = copy_id(&id);
    let steps = vec![
        say("li", "", first),
        tag("li", "", vec![words(text::CONCERN_COPY), words(" "), copy]),
        tag("li", "", vec![words(text::CONCERN_TELL), contact]),
    ];
    part(text::CONCERN, vec![say("p", "", text::CONCERN_LEDE), tag("ol", "concern-steps", steps)])
}

fn link(address: &str, outside: bool, content: Vec<AnyView>) -> AnyView {
    let link = el("a", "").set("href", address).set("rel", "noopener noreferrer external").all(content);
    if outside { link.set("target", "_blank") } else { link }.view()
}

/// An address to write to and nothing that a mail program would take for more.
fn is_mail(address: &str) -> bool {
    address
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'))
        && address
            .chars()
            .all(|letter| letter.is_ascii_graphic() && !matches!(letter, '?' | '&' | ',' | ';' | '<' | '>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_more_in_it_is_none() {
        assert!(is_mail("help+wallet@acme.example"));
        for bad in
            ["", "help", "@acme.example", "a@b", "a@b.c?bcc=x@y.z", "a@b.c,d@e.f", "a b@c.d", "a@b@c.d"]
        {
            assert!(!is_mail(bad), "{bad}");
        }
    }
}
