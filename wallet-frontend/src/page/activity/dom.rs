//! Elements made one by one. Rows come and go by the hundred while somebody scrolls: plain calls are quicker and smaller than
//! views, and whatever is put in is text.

use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

const SVG: &str = "http://www.w3.org/2000/svg";

pub fn el(tag: &str, class: &str) -> HtmlElement {
    // It fails for names only that are no names; the error would then be the element, and adding it would do nothing.
    let made: HtmlElement =
        document().create_element(tag).map_or_else(JsCast::unchecked_into, JsCast::unchecked_into);
    if !class.is_empty() {
        made.set_class_name(class);
    }
    made
}

pub fn svg(tag: &str, class: &str) -> Element {
    let made: Element = document().create_element_ns(Some(SVG), tag).unwrap_or_else(JsCast::unchecked_into);
    set(&made, "class", class);
    made
}

pub fn add(parent: &Element, child: &Element) {
    let _ = parent.append_child(child);
}

/// A new element with a text, at the parent's end.
pub fn say(parent: &Element, tag: &str, class: &str, text: &str) -> HtmlElement {
    let made = el(tag, class);
    made.set_text_content(Some(text));
    add(parent, &made);
    made
}

pub fn set(element: &Element, name: &str, value: &str) {
    let _ = element.set_attribute(name, value);
}

pub fn style(element: &HtmlElement, name: &str, value: &str) {
    let _ = element.style().set_property(name, value);
}

/// A length of CSS.
pub fn px(value: f64) -> String {
    format!("{value:.2}px")
}
