//! What to do if something is wrong: stop it, then tell somebody who can look it up.

use alter_api_types::{
    portal::GrantStatus,
    wallet::{AppCard, GrantCard},
};
use leptos::prelude::*;

use crate::{
    page::grant_actions::CopyId,
    query::encode,
    state::use_session,
    text::{common, grant as words, record::fill},
    ui::Card,
    visible::visible_line,
};

#[component]
pub fn Concern(app: AppCard, grant: GrantCard) -> impl IntoView {
    let session = use_session();
    session.want();
    let id = grant.grant_id.to_string();
    let first = match (grant.status, grant.may_revoke) {
        (GrantStatus::Revoked, _) => words::CONCERN_FIRST_DONE,
        (_, false) => words::CONCERN_GROUP,
        _ => words::CONCERN_FIRST,
    };
    let subject = encode(&fill(words::CONCERN_SUBJECT, &[("id", &id)]));
    let site =
        app.website_url.clone().filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let name = visible_line(&app.name);
    let contact = move || {
        let mail =
            session.ok().and_then(|session| session.support_email.clone()).filter(|mail| is_mail(mail));
        let nobody = mail.is_none() && site.is_none();
        let site = site.clone().map(|url| {
            let words = fill(words::CONCERN_SITE, &[("app", &name)]);
            view! {
                <a href={url} target="_blank" rel="noopener noreferrer">
                    {words}
                    <span class={"unseen"}>" (" {common::NEW_WINDOW} ")"</span>
                </a>
            }
        });
        let mail = mail.map(|mail| {
            let words = fill(words::CONCERN_MAIL, &[("address", &visible_line(&mail))]);
            view! { <a href={format!("mailto:{}?subject={subject}", encode(&mail).replace("%40", "@"))}>{words}</a> }
        });
        view! {
            <span class="contacts">{mail} {site} {nobody.then_some(words::CONCERN_NOBODY)}</span>
        }
    };
    view! {
        <section class="part">
            <h2>{words::CONCERN}</h2>
            <Card>
                <p>{words::CONCERN_LEDE}</p>
                <ol class="concern-steps">
                    <li>{first}</li>
                    <li>{words::CONCERN_COPY} <CopyId id /></li>
                    <li>{words::CONCERN_TELL} {contact}</li>
                </ol>
            </Card>
        </section>
    }
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
