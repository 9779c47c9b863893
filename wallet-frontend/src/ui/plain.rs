//! Elements, made one by one by the browser's own calls. The framework's views have a type each, and each type costs code of
//! its own, several kilobytes over the wire for a page; whatever is made here is one type to it, [`Made`].
//!
//! What changes is told by a closure that reads signals; it runs again when one of them changes.

use leptos::{
    prelude::*,
    tachys::{
        hydration::Cursor,
        no_attrs,
        view::{
            Mountable, Position, PositionState, Render, RenderHtml,
            any_view::{AnyView, AnyViewState},
        },
    },
};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use web_sys::{Element, Event, HtmlElement, Node};

const SVG: &str = "http://www.w3.org/2000/svg";

/// An element that is being made.
pub struct El {
    element: Element,
    made: Made,
}

/// A node of the page, with what lives as long as it does.
struct Made {
    node: Node,
    children: Vec<AnyViewState>,
    effects: Vec<RenderEffect<()>>,
}

pub fn el(name: &str, class: &str) -> El {
    // It fails for names only that are no names; the error would then be the element, and adding it would do nothing.
    let element = document().create_element(name).unwrap_or_else(JsCast::unchecked_into);
    El::of(element, class)
}

/// An element of a drawing.
pub fn svg(name: &str, class: &str) -> El {
    let element = document().create_element_ns(Some(SVG), name).unwrap_or_else(JsCast::unchecked_into);
    El::of(element, class)
}

impl El {
    pub fn set(self, name: &str, value: &str) -> Self {
        let _ = self.element.set_attribute(name, value);
        self
    }

    /// A property of CSS, through the element's own interface: the page's policy allows no `style` in markup.
    pub fn style(self, name: &str, value: &str) -> Self {
        let _ = self.element.unchecked_ref::<HtmlElement>().style().set_property(name, value);
        self
    }

    /// A property of the element itself.
    pub fn property(self, name: &str, value: &JsValue) -> Self {
        let _ = js_sys::Reflect::set(&self.element, &JsValue::from_str(name), value);
        self
    }

    pub fn add(mut self, child: AnyView) -> Self {
        let mut child = child.build();
        child.mount(&self.element, None);
        self.made.children.push(child);
        self
    }

    pub fn all(self, children: Vec<AnyView>) -> Self {
        children.into_iter().fold(self, Self::add)
    }

    /// A text after what is in it already.
    pub fn text(self, text: &str) -> Self {
        let _ = self.element.append_child(&document().create_text_node(text));
        self
    }

    /// A text that changes, and nothing else.
    pub fn says(self, text: impl Fn() -> String + 'static) -> Self {
        let node = self.element.clone();
        self.follow(Box::new(text), Box::new(move |text| node.set_text_content(Some(text))))
    }

    /// An attribute that changes; without a value it is not there.
    pub fn tells(self, name: &'static str, value: impl Fn() -> Option<String> + 'static) -> Self {
        self.tells_boxed(name, Box::new(value))
    }

    /// A class that is there while something holds.
    pub fn class_while(self, class: &'static str, holds: impl Fn() -> bool + 'static) -> Self {
        let list = self.element.class_list();
        self.keep(Box::new(move || {
            let _ = list.toggle_with_force(class, holds());
        }))
    }

    /// A property of the element itself, such as `checked`, that is set when what it is made of changes.
    pub fn holds(self, name: &'static str, value: impl Fn() -> JsValue + 'static) -> Self {
        let element = self.element.clone();
        self.keep(Box::new(move || {
            let _ = js_sys::Reflect::set(&element, &JsValue::from_str(name), &value());
        }))
    }

    pub fn on(self, event: &str, act: impl FnMut(Event) + 'static) -> Self {
        self.on_boxed(event, Box::new(act))
    }

    /// As long as the element is there; it runs at once, and again when what it reads changes.
    pub fn keep(mut self, mut act: Box<dyn FnMut()>) -> Self {
        self.made.effects.push(RenderEffect::new(move |_| act()));
        self
    }

    /// Children by key, in this order. A child is made when its key comes and stays as it is until the key goes.
    pub fn each(
        self,
        keys: impl Fn() -> Vec<String> + 'static,
        make: impl Fn(&str) -> AnyView + 'static,
    ) -> Self {
        let mut items = Items { parent: self.element.clone(), owner: Owner::current(), shown: Vec::new() };
        let (keys, make): (Keys, Make) = (Box::new(keys), Box::new(make));
        self.keep(Box::new(move || {
            let keys = keys();
            untrack(|| items.show(keys, &make));
        }))
    }

    pub fn element(&self) -> HtmlElement {
        self.element.clone().unchecked_into()
    }

    pub fn view(self) -> AnyView {
        Whole(SendWrapper::new(self.made)).into_any()
    }

    fn of(element: Element, class: &str) -> Self {
        if !class.is_empty() {
            let _ = element.set_attribute("class", class);
        }
        let node = element.clone().unchecked_into();
        Self { element, made: Made { node, children: Vec::new(), effects: Vec::new() } }
    }

    fn on_boxed(self, event: &str, act: Box<dyn FnMut(Event)>) -> Self {
        // The browser lets go of it with the element.
        let act = Closure::wrap(act).into_js_value();
        let _ = self.element.add_event_listener_with_callback(event, act.unchecked_ref());
        self
    }

    fn tells_boxed(self, name: &'static str, value: Box<dyn Fn() -> Option<String>>) -> Self {
        let element = self.element.clone();
        let mut last = None;
        self.keep(Box::new(move || {
            let value = value();
            if value != last {
                let _ = match &value {
                    Some(value) => element.set_attribute(name, value),
                    None => element.remove_attribute(name),
                };
                last = value;
            }
        }))
    }

    /// Hands on a text when it has become another one.
    fn follow(self, text: Box<dyn Fn() -> String>, show: Box<dyn Fn(&str)>) -> Self {
        let mut last = None;
        self.keep(Box::new(move || {
            let text = text();
            if last.as_ref() != Some(&text) {
                show(&text);
                last = Some(text);
            }
        }))
    }
}

/// An element with these children.
pub fn tag(name: &str, class: &str, children: Vec<AnyView>) -> AnyView {
    el(name, class).all(children).view()
}

/// An element with a text.
pub fn say(name: &str, class: &str, text: impl Into<String>) -> AnyView {
    el(name, class).text(&text.into()).view()
}

/// A link, as it is written in its `href`.
pub fn link(class: &str, to: &str, children: Vec<AnyView>) -> AnyView {
    el("a", class).set("href", to).all(children).view()
}

pub fn words(text: impl Into<String>) -> AnyView {
    lone(document().create_text_node(&text.into()).unchecked_into())
}

/// What changes with what it reads. It is made anew each time: what must stay is better told by [`El::says`] and its like.
pub fn live(show: impl FnMut() -> AnyView + Send + 'static) -> AnyView {
    let show: Box<dyn FnMut() -> AnyView + Send> = Box::new(show);
    show.into_any()
}

/// A place with nothing in it.
pub fn nothing() -> AnyView {
    lone(document().create_comment("").unchecked_into())
}

/// A pair of a list of facts.
pub fn fact(name: &str, value: Vec<AnyView>) -> AnyView {
    tag("div", "", vec![say("dt", "", name), tag("dd", "", value)])
}

/// A part of a page, under a heading of its own.
pub fn part(heading: &str, children: Vec<AnyView>) -> AnyView {
    tag("section", "part", vec![say("h2", "", heading), tag("div", "card", children)])
}

/// Runs after what is shown now is in the page, and again when what it reads changes, until its owner goes.
pub fn watch(act: impl FnMut() + 'static) {
    let act: Box<dyn FnMut()> = Box::new(act);
    Effect::new(act);
}

/// A text that is worked out once for all who read it, and told only when it has become another one. Whoever wants to be told
/// has to read it: before it was read for the first time, it does not know what it is made of.
pub fn told(text: impl Fn() -> String + Send + Sync + 'static) -> Memo<String> {
    let text: Box<dyn Fn() -> String + Send + Sync> = Box::new(text);
    Memo::new(move |_| text())
}

/// The same of what holds or does not.
pub fn whether(holds: impl Fn() -> bool + Send + Sync + 'static) -> Memo<bool> {
    let holds: Box<dyn Fn() -> bool + Send + Sync> = Box::new(holds);
    Memo::new(move |_| holds())
}

fn lone(node: Node) -> AnyView {
    Whole(SendWrapper::new(Made { node, children: Vec::new(), effects: Vec::new() })).into_any()
}

type Keys = Box<dyn Fn() -> Vec<String>>;
type Make = Box<dyn Fn(&str) -> AnyView>;

/// The children of [`El::each`].
struct Items {
    parent: Element,
    /// Whose they are. What tells the keys runs again and again, and takes with it each time what it owns.
    owner: Option<Owner>,
    shown: Vec<Item>,
}

struct Item {
    key: String,
    view: AnyViewState,
    _owner: Owner,
}

impl Items {
    fn show(&mut self, keys: Vec<String>, make: &Make) {
        let same = keys.iter().zip(&self.shown).take_while(|(key, item)| **key == item.key).count();
        // Those before the first difference stay where they are.
        let mut others: Vec<Item> = self.shown.drain(same..).collect();
        for key in keys.into_iter().skip(same) {
            let known = others.iter().position(|item| item.key == key).map(|at| others.swap_remove(at));
            let mut item = known.unwrap_or_else(|| {
                let owner = self.owner.as_ref().map_or_else(Owner::new, Owner::child);
                let view = owner.with(|| make(&key).build());
                Item { key, view, _owner: owner }
            });
            item.view.mount(&self.parent, None);
            self.shown.push(item);
        }
        for mut gone in others {
            gone.view.unmount();
        }
    }
}

/// What the framework is handed.
struct Whole(SendWrapper<Made>);

impl Render for Whole {
    type State = Made;

    fn build(self) -> Made {
        self.0.take()
    }

    fn rebuild(self, state: &mut Made) {
        let mut new = self.build();
        state.insert_before_this(&mut new);
        state.unmount();
        *state = new;
    }
}

impl Mountable for Made {
    fn unmount(&mut self) {
        if let Some(parent) = self.node.parent_node() {
            let _ = parent.remove_child(&self.node);
        }
    }

    fn mount(&mut self, parent: &Element, marker: Option<&Node>) {
        let _ = parent.insert_before(&self.node, marker);
    }

    fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
        let parent = self.node.parent_element();
        if let Some(parent) = &parent {
            child.mount(parent, Some(&self.node));
        }
        parent.is_some()
    }

    fn elements(&self) -> Vec<Element> {
        self.node.dyn_ref::<Element>().cloned().into_iter().collect()
    }
}

no_attrs!(Whole);

/// Nothing is ever made of it but the node: this site has no server that writes markup.
impl RenderHtml for Whole {
    type AsyncOutput = Self;
    type Owned = Self;

    const MIN_LENGTH: usize = 0;

    fn dry_resolve(&mut self) {}

    async fn resolve(self) -> Self {
        self
    }

    fn to_html_with_buf(
        self,
        _: &mut String,
        _: &mut Position,
        _: bool,
        _: bool,
        _: Vec<leptos::tachys::html::attribute::any_attribute::AnyAttribute>,
    ) {
    }

    fn hydrate<const FROM_SERVER: bool>(self, _: &Cursor, _: &PositionState) -> Made {
        self.build()
    }

    fn into_owned(self) -> Self {
        self
    }
}
