//! Elements made one by one. Rows come and go by the hundred while somebody scrolls: plain calls are quicker and smaller than
//! views, and whatever is put in is text.

use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use crate::{
    page::plain::{self, El},
    ui::Kind,
};

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

/// A button that is always ready.
pub fn press(kind: Kind, words: &str, act: impl Fn() + 'static) -> El {
    plain::el("button", kind.class()).set("type", "button").text(words).on("click", move |_| act())
}

pub fn set(element: &Element, name: &str, value: &str) {
    let _ = element.set_attribute(name, value);
}

pub fn style(element: &HtmlElement, name: &str, value: &str) {
    let _ = element.style().set_property(name, value);
}

/// A length of CSS.
pub fn px(value: f64) -> String {
    format!("{}px", decimal(value, 2))
}

/// With so many digits behind the point, one at least. What the language has for it is as large as a page.
pub fn decimal(value: f64, digits: u32) -> String {
    let one = 10_u64.pow(digits);
    let all = (value * one as f64).round() as i64;
    let sign = if all < 0 { "-" } else { "" };
    let all = all.unsigned_abs();
    format!("{sign}{}.{:0width$}", all / one, all % one, width = digits as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_css_have_the_digits_that_were_asked_for() {
        let cases = [(0.0, "0.00"), (12.346, "12.35"), (-0.5, "-0.50"), (-3.049, "-3.05"), (7.001, "7.00")];
        for (value, text) in cases {
            assert_eq!(decimal(value, 2), text, "{value}");
        }
        assert_eq!([decimal(0.0, 1), decimal(96.04, 1)], ["0.0", "96.0"]);
        assert_eq!([decimal(3.3333, 3), px(17_900_000.25)], ["3.333", "17900000.25px"]);
    }
}
