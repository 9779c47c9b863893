//! Giving a grant more time.

use alter_api_types::Timestamp;
use alter_api_types::{
    portal::GrantStatus,
    wallet::{ExtendRequest, GrantCard},
};
use leptos::{ev, html, prelude::*, task::spawn_local};

use super::more_time::{Offer, at_end_of_day, offers};
use crate::{
    api::{self, ApiError},
    format,
    page::{
        activity::day::Day,
        plain::{live, nothing, say, tag},
    },
    state::{use_clock, use_overview},
    text::{self, grant as words, record::fill},
    ui::{Button, Dialog, ErrorBox, Kind, next_id, use_toast},
    visible::visible_line,
};

/// Nothing where the expiry is not the user's to change. `on_extended` gets the grant as it is then.
#[component]
pub fn ExtendButton(
    grant: GrantCard,
    #[prop(optional)] on_extended: Option<Callback<GrantCard>>,
) -> impl IntoView {
    let in_force = grant.expires_at;
    let most = grant.extendable_to.filter(|_| grant.status != GrantStatus::Revoked);
    let (Some(most), Some(in_force)) = (most, in_force) else { return nothing() };
    if most <= in_force {
        return nothing();
    }
    let (overview, clock, toast) = (use_overview(), use_clock(), use_toast());
    let open = RwSignal::new(false);
    let busy = RwSignal::new(false);
    let failed = RwSignal::new(None::<ApiError>);
    let offered = RwSignal::new(Vec::<(Offer, Timestamp)>::new());
    let chosen = RwSignal::new(None::<usize>);
    let own = RwSignal::new(None::<Day>);
    let id = grant.grant_id;
    let provider = visible_line(&grant.provider_name);
    let title = fill(words::EXTEND_TITLE, &[("provider", &provider)]);
    let label = fill(words::EXTEND_OF, &[("provider", &provider)]);

    let until = move || match chosen.get() {
        Some(index) => offered.with(|all| all.get(index).map(|(_, at)| *at)),
        None => {
            let next = own.get()?.plus(1).begins()?;
            at_end_of_day(next, clock.now(), in_force, most)
        }
    };
    let ready = Memo::new(move |_| until().is_some());
    let extend = Callback::new(move |()| {
        let Some(expires_at) = untrack(until).filter(|_| !busy.get_untracked()) else { return };
        busy.set(true);
        failed.set(None);
        spawn_local(async move {
            let answer = api::extend(id, &ExtendRequest { expires_at }).await;
            busy.try_set(false);
            match answer {
                Ok(card) => {
                    open.try_set(false);
                    let at = card.expires_at.unwrap_or(expires_at);
                    toast.good(fill(words::EXTENDED_TO, &[("date", &format::date_time(at))]));
                    overview.changed(&card);
                    if let Some(on_extended) = on_extended {
                        on_extended.try_run(card);
                    }
                }
                Err(error) => {
                    failed.try_set(Some(error));
                }
            }
        });
    });
    let show = move |()| {
        let offers = offers(clock.second(), in_force, most);
        chosen.set(if offers.is_empty() { None } else { Some(0) });
        offered.set(offers);
        own.set(None);
        failed.set(None);
        open.set(true);
    };
    let group = StoredValue::new(next_id());
    let content = move || {
        let choices = live(move || {
            let offers = offered.get().into_iter().enumerate();
            offers.map(|(index, (offer, at))| line(group, chosen, index, offer, at)).collect_view().into_any()
        });
        let until =
            vec![say("legend", "", words::UNTIL), choices, own_day(group, chosen, own, in_force, most)];
        let problem = live(move || match failed.get() {
            Some(error) => view! { <ErrorBox error=ApiError { retry: false, ..error } /> }.into_any(),
            None => nothing(),
        });
        let unready = Signal::derive(move || !ready.get());
        let leave = Callback::new(move |()| open.set(false));
        let cancel = view! { <Button on_press=leave disabled=busy>{text::common::CANCEL}</Button> };
        let go = view! {
            <Button kind=Kind::Primary busy disabled=unready on_press=extend>{words::EXTEND}</Button>
        };
        vec![
            say("p", "dialog-lede", fill(words::EXTEND_LEDE, &[("date", &format::date_time(in_force))])),
            tag("fieldset", "offers", until),
            problem,
            tag("div", "dialog-actions", vec![cancel.into_any(), go.into_any()]),
        ]
        .into_any()
    };
    let button = view! { <Button label={label} on_press=Callback::new(show)>{words::EXTEND}</Button> };
    let dialog = view! { <Dialog open title={title} locked=busy>{content()}</Dialog> };
    vec![button.into_any(), dialog.into_any()].into_any()
}

/// One of the times that are offered.
fn line(
    group: StoredValue<String>,
    chosen: RwSignal<Option<usize>>,
    index: usize,
    offer: Offer,
    at: Timestamp,
) -> AnyView {
    let content = vec![
        radio(group, chosen, Some(index), Callback::new(|()| ())),
        say("span", "", offer_words(offer)),
        say("span", "offer-date", format::date(at)),
    ];
    tag("label", "offer", content)
}

/// A day of the user's own choice.
fn own_day(
    group: StoredValue<String>,
    chosen: RwSignal<Option<usize>>,
    own: RwSignal<Option<Day>>,
    in_force: Timestamp,
    most: Timestamp,
) -> AnyView {
    let field = NodeRef::<html::Input>::new();
    let enter = Callback::new(move |()| {
        if let Some(field) = field.get_untracked() {
            let _ = field.focus();
        }
    });
    let day = html::input()
        .r#type("date")
        .node_ref(field)
        .aria_label(words::OWN_DAY)
        .min(Day::of(in_force).text())
        .max(Day::of(most).text())
        .on(ev::input, move |event| {
            chosen.set(None);
            own.set(Day::parse(&event_target_value(&event)));
        });
    tag(
        "label",
        "offer",
        vec![radio(group, chosen, None, enter), say("span", "", words::OWN_DAY), day.into_any()],
    )
}

fn radio(
    group: StoredValue<String>,
    chosen: RwSignal<Option<usize>>,
    index: Option<usize>,
    then: Callback<()>,
) -> AnyView {
    html::input()
        .r#type("radio")
        .name(group.get_value())
        .prop("checked", move || chosen.get() == index)
        .on(ev::change, move |_| {
            chosen.set(index);
            then.run(());
        })
        .into_any()
}

fn offer_words(offer: Offer) -> String {
    match offer {
        Offer::Days(days) => fill(words::DAYS_FROM_NOW, &[("n", &days.to_string())]),
        Offer::Most => words::MOST.to_owned(),
    }
}
