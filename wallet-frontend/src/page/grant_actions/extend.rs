//! Giving a grant more time.

use alter_api_types::{
    portal::GrantStatus,
    wallet::{ExtendRequest, GrantCard},
};
use jiff::Timestamp;
use leptos::{html, prelude::*, task::spawn_local};

use super::more_time::{Offer, at_end_of_day, offers};
use crate::{
    api::{self, ApiError},
    format,
    page::activity::day::Day,
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
    let (Some(most), Some(in_force)) = (most, in_force) else { return ().into_any() };
    if most <= in_force {
        return ().into_any();
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
    view! {
        <Button label={label} on_press=Callback::new(show)>{words::EXTEND}</Button>
        <Dialog open title={title} locked=busy>
            <p class="dialog-lede">{fill(words::EXTEND_LEDE, &[("date", &format::date_time(in_force))])}</p>
            <fieldset class="offers">
                <legend>{words::UNTIL}</legend>
                {move || {
                    offered
                        .get()
                        .into_iter()
                        .enumerate()
                        .map(|(index, (offer, at))| {
                            view! {
                                <label class="offer">
                                    <input
                                        type="radio"
                                        name={group.get_value()}
                                        prop:checked=move || chosen.get() == Some(index)
                                        on:change=move |_| chosen.set(Some(index))
                                    />
                                    <span>{offer_words(offer)}</span>
                                    <span class={"offer-date"}>{format::date(at)}</span>
                                </label>
                            }
                        })
                        .collect_view()
                }}
                <OwnDay group=group chosen own in_force most />
            </fieldset>
            {move || failed.get().map(|error| view! { <ErrorBox error=ApiError { retry: false, ..error } /> })}
            <div class="dialog-actions">
                <Button on_press=move |()| open.set(false) disabled=busy>{text::common::CANCEL}</Button>
                <Button kind=Kind::Primary busy disabled=Signal::derive(move || !ready.get()) on_press=extend>
                    {words::EXTEND}
                </Button>
            </div>
        </Dialog>
    }
    .into_any()
}

/// A day of the user's own choice.
#[component]
fn OwnDay(
    group: StoredValue<String>,
    chosen: RwSignal<Option<usize>>,
    own: RwSignal<Option<Day>>,
    in_force: Timestamp,
    most: Timestamp,
) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    view! {
        <label class="offer">
            <input
                type="radio"
                name={group.get_value()}
                prop:checked=move || chosen.get().is_none()
                on:change=move |_| {
                    chosen.set(None);
                    if let Some(field) = field.get_untracked() {
                        let _ = field.focus();
                    }
                }
            />
            <span>{words::OWN_DAY}</span>
            <input
                type="date"
                node_ref=field
                aria-label={words::OWN_DAY}
                min={Day::of(in_force).text()}
                max={Day::of(most).text()}
                on:input=move |event| {
                    chosen.set(None);
                    own.set(Day::parse(&event_target_value(&event)));
                }
            />
        </label>
    }
}

fn offer_words(offer: Offer) -> String {
    match offer {
        Offer::Days(days) => fill(words::DAYS_FROM_NOW, &[("n", &days.to_string())]),
        Offer::Most => words::MOST.to_owned(),
    }
}
