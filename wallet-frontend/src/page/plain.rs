//! Elements whose kind and content are known only when they are made. A view with a type of its own costs code of its own,
//! several kilobytes over the wire for a page; all elements that are made here share theirs.

use leptos::{html, prelude::*};

/// An element with these children.
pub fn tag(name: &'static str, class: &'static str, children: Vec<AnyView>) -> AnyView {
    html::custom(name).class(class).child(children).into_any()
}

/// An element with a text.
pub fn say(name: &'static str, class: &'static str, text: impl Into<String>) -> AnyView {
    tag(name, class, vec![words(text)])
}

pub fn words(text: impl Into<String>) -> AnyView {
    text.into().into_any()
}

/// What changes with what it reads.
pub fn live(show: impl FnMut() -> AnyView + Send + 'static) -> AnyView {
    let show: Box<dyn FnMut() -> AnyView + Send> = Box::new(show);
    show.into_any()
}

pub fn nothing() -> AnyView {
    ().into_any()
}

/// A pair of a list of facts.
pub fn fact(name: &'static str, value: Vec<AnyView>) -> AnyView {
    tag("div", "", vec![say("dt", "", name), tag("dd", "", value)])
}

/// A part of a page, under a heading of its own.
pub fn part(heading: &'static str, children: Vec<AnyView>) -> AnyView {
    tag("section", "part", vec![say("h2", "", heading), tag("div", "card", children)])
}
