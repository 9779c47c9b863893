//! Search and filters.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use alter_api_types::wallet::{ActivityQuery, Overview};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlElement, HtmlInputElement};

use super::{
    change,
    day::Day,
    dom::{self, press, set},
    filter::{Filter, OUTCOMES},
    now,
};
use crate::{
    api,
    page::plain::{El, el, say, tag, watch},
    state::use_overview,
    text::{common, connections, record as text},
    ui::{Icon, Kind, Shape, agent_name, next_id},
    visible::visible_line,
};

/// After the last key, so long nothing is asked for.
const PAUSE: Duration = Duration::from_millis(350);

/// What is shown of the filter. What the user chooses goes to the address; what the address says comes back by [`Controls::show`].
pub struct Controls {
    search: HtmlInputElement,
    fold: HtmlElement,
    count: HtmlElement,
    body: HtmlElement,
    export: HtmlElement,
    choices: Vec<Choice>,
    /// The first and the last day.
    days: [HtmlInputElement; 2],
    clear: HtmlElement,
}

/// A list to choose from, with what stands for no choice.
struct Choice {
    list: HtmlElement,
    all: &'static str,
    options: RefCell<Options>,
    chosen: RefCell<String>,
}

type Options = Vec<(String, String)>;

impl Controls {
    pub fn new(refresh: impl Fn() + 'static) -> (AnyView, Rc<Self>) {
        let (search, field) = search();
        let id = next_id();
        let open = now().count() > 0;
        let body = el("div", "controls-body").set("id", &id);
        let fold = el("button", Kind::Quiet.class())
            .set("type", "button")
            .set("aria-controls", &id)
            .text(text::FILTERS)
            .on("click", unfold);
        unfolded(&fold.element(), &body.element(), open);
        let export = el("a", Kind::Quiet.class())
            .set("download", "activity.csv")
            .set("rel", "external")
            .add(view! { <Icon shape=Shape::Download /> }.into_any())
            .add(say("span", "roomy", text::DOWNLOAD))
            .text(text::CSV);
        let lists = choices();
        let from = date(text::FROM, |filter, day| filter.from = day);
        let to = date(text::TO, |filter, day| filter.to = day);
        let clear = press(Kind::Text, connections::CLEAR, || {
            change(false, &Filter { search: now().search, ..Filter::default() });
        });
        let controls = Rc::new(Self {
            search: field,
            fold: fold.element(),
            count: dom::el("span", "controls-count"),
            body: body.element(),
            export: export.element(),
            choices: lists
                .iter()
                .map(|(_, all, list)| Choice {
                    list: list.element(),
                    all,
                    options: RefCell::default(),
                    chosen: RefCell::default(),
                })
                .collect(),
            days: [from.1, to.1],
            clear: clear.element(),
        });
        let refresh = press(Kind::Quiet, common::REFRESH, refresh);
        let line = vec![search, fold.view(), refresh.view(), export.view()];
        let body = lists
            .into_iter()
            .fold(body, |body, (name, _, list)| body.add(labelled("field", name, list)))
            .add(from.0)
            .add(to.0);
        // Its place is the end of the fields, where it stands only while there is something to clear.
        let body = body.add(clear.view());
        controls.clear.remove();
        let view = el("div", "controls")
            .set("role", "search")
            .set("aria-label", text::SEARCH_LABEL)
            .add(tag("div", "controls-line", line))
            .add(body.view())
            .view();
        let (overview, named) = (use_overview(), Rc::clone(&controls));
        overview.want();
        watch(move || named.name(overview.ok().as_deref()));
        (view, controls)
    }

    pub fn show(&self, filter: &Filter) {
        // What is being typed is not taken away by an address that says the same.
        if self.search.value().trim() != filter.search {
            self.search.set_value(&filter.search);
        }
        let count = filter.count();
        if count == 0 {
            self.count.remove();
            self.clear.remove();
        } else {
            self.count.set_text_content(Some(&count.to_string()));
            dom::add(&self.fold, &self.count);
            dom::add(&self.body, &self.clear);
        }
        let query = ActivityQuery { format: Some("csv".to_owned()), ..filter.query(Day::begins) };
        set(&self.export, "href", &api::export_address(&query));
        let Filter { app, provider, agent, outcome, event, from, to, .. } = filter;
        let (app, agent) = (app.map(|id| id.to_string()), agent.map(|id| id.to_string()));
        let chosen = [app.as_ref(), provider.as_ref(), agent.as_ref(), outcome.as_ref(), event.as_ref()];
        for (choice, chosen) in self.choices.iter().zip(chosen) {
            *choice.chosen.borrow_mut() = chosen.cloned().unwrap_or_default();
            choice.draw();
        }
        for (field, day) in self.days.iter().zip([from, to]) {
            field.set_value(&day.map(Day::text).unwrap_or_default());
        }
    }

    /// Fills the lists with what occurs among the user's grants.
    fn name(&self, all: Option<&Overview>) {
        let said = |(code, words): (&&str, &str)| ((*code).to_owned(), words.to_owned());
        let mut lists = [
            Vec::new(),
            Vec::new(),
            Vec::new(),
            OUTCOMES.iter().zip(text::OUTCOMES).map(said).collect(),
            vec![said((&"call", text::ONLY_CALLS))],
        ];
        if let ([apps, providers, agents, ..], Some(all)) = (&mut lists, all) {
            apps.extend(all.apps.iter().map(|app| (app.app_id.to_string(), visible_line(&app.name))));
            agents.extend(all.agents.iter().map(|agent| (agent.agent_id.to_string(), agent_name(agent))));
            for grant in &all.grants {
                if !providers.iter().any(|(id, _)| *id == grant.provider_id) {
                    providers.push((grant.provider_id.clone(), visible_line(&grant.provider_name)));
                }
            }
            providers.sort_unstable();
        }
        for (choice, options) in self.choices.iter().zip(lists) {
            *choice.options.borrow_mut() = options;
            choice.draw();
        }
    }
}

impl Choice {
    fn draw(&self) {
        let (chosen, options) = (self.chosen.borrow(), self.options.borrow());
        self.list.set_text_content(None);
        self.option("", self.all, &chosen);
        for (value, words) in options.iter() {
            self.option(value, words, &chosen);
        }
        // What the address names is chosen although it is not among the user's own any more.
        if !chosen.is_empty() && !options.iter().any(|(value, _)| *value == *chosen) {
            self.option(&chosen, &visible_line(&chosen), &chosen);
        }
    }

    fn option(&self, value: &str, words: &str, chosen: &str) {
        let option = dom::say(&self.list, "option", "", words);
        set(&option, "value", value);
        if value == chosen {
            set(&option, "selected", "");
        }
    }
}

/// Finds by name what it unfolds: a listener that holds an element of its own page is never let go of.
fn unfold(event: Event) {
    let Some(fold) = event.current_target() else { return };
    let fold: &HtmlElement = fold.unchecked_ref();
    let body = fold.get_attribute("aria-controls").and_then(|id| document().get_element_by_id(&id));
    if let Some(body) = body {
        unfolded(fold, &body, body.has_attribute("hidden"));
    }
}

fn unfolded(fold: &HtmlElement, body: &Element, open: bool) {
    set(fold, "aria-expanded", if open { "true" } else { "false" });
    let _ = body.toggle_attribute_with_force("hidden", !open);
}

fn search() -> (AnyView, HtmlInputElement) {
    let waiting = Rc::new(Cell::new(None::<TimeoutHandle>));
    let field = el("input", "")
        .set("type", "search")
        .set("maxlength", "200")
        .set("placeholder", text::SEARCH_HINT)
        .set("autocomplete", "off")
        .set("spellcheck", "false")
        .on("change", |event| look_for(&event_target_value(&event)))
        .on("input", move |event| {
            let field: Option<HtmlInputElement> = event.target().map(JsCast::unchecked_into);
            if let Some(waiting) = waiting.take() {
                waiting.clear();
            }
            let look = move || {
                if let Some(field) = field.filter(|field| field.is_connected()) {
                    look_for(&field.value());
                }
            };
            waiting.set(set_timeout_with_handle(look, PAUSE).ok());
        });
    let input: HtmlInputElement = field.element().unchecked_into();
    input.set_value(&now().search);
    let icon = view! { <Icon shape=Shape::Search /> }.into_any();
    (tag("label", "search", vec![say("span", "unseen", text::SEARCH), icon, field.view()]), input)
}

fn look_for(typed: &str) {
    let old = now();
    let search = typed.trim().to_owned();
    if search != old.search {
        // One search is one step back, however many letters it took.
        let replace = !old.search.is_empty() && !search.is_empty();
        change(replace, &Filter { search, ..old });
    }
}

fn date(name: &str, put: fn(&mut Filter, Option<Day>)) -> (AnyView, HtmlInputElement) {
    let field = el("input", "").set("type", "date").on("change", move |event| {
        let mut filter = now();
        put(&mut filter, Day::parse(&event_target_value(&event)));
        change(false, &filter);
    });
    let input = field.element().unchecked_into();
    (labelled("field", name, field), input)
}

fn labelled(class: &str, name: &str, field: El) -> AnyView {
    tag("label", class, vec![say("span", "", name), field.view()])
}

/// The lists, each with its name and with what stands for no choice.
fn choices() -> Vec<(&'static str, &'static str, El)> {
    let put: [fn(&mut Filter, Option<String>); 5] = [
        |filter, id| filter.app = id.and_then(|id| id.parse().ok()),
        |filter, id| filter.provider = id,
        |filter, id| filter.agent = id.and_then(|id| id.parse().ok()),
        |filter, outcome| filter.outcome = outcome,
        |filter, event| filter.event = event,
    ];
    let names = [
        (text::APP, connections::ALL_APPS),
        (text::PROVIDER, text::ALL_PROVIDERS),
        (text::AGENT_FIELD, text::ALL_AGENTS),
        (text::OUTCOME, text::ALL_OUTCOMES),
        (text::SHOW, text::EVERYTHING),
    ];
    let list = |((name, all), put): ((_, _), fn(&mut Filter, Option<String>))| {
        let list = el("select", "").on("change", move |event| {
            let mut filter = now();
            put(&mut filter, Some(event_target_value(&event)).filter(|chosen| !chosen.is_empty()));
            change(false, &filter);
        });
        (name, all, list)
    };
    names.into_iter().zip(put).map(list).collect()
}
