//! Drawings: lines on a square of 24, in the text's colour.

use leptos::prelude::*;

use super::plain::svg;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Apps,
    Connections,
    Activity,
    Approvals,
    Next,
    Back,
    Close,
    Check,
    Alert,
    Out,
    Search,
    Download,
    Lock,
}

/// Never the only thing that says something: it is hidden from screen readers.
#[component]
pub fn Icon(shape: Shape) -> AnyView {
    let lines = svg("path", "").set("d", lines(shape)).view();
    svg("svg", "icon").set("viewBox", "0 0 24 24").set("aria-hidden", "true").add(lines).view()
}

/// The Wallet's own mark.
#[component]
pub fn Mark() -> AnyView {
    let ground = svg("rect", "mark-ground").set("width", "64").set("height", "64").set("rx", "15");
    let line =
        svg("path", "mark-line").set("d", "M15 24.5v-2a6 6 0 0 1 6-6h21.5M15 24.5v17a6 6 0 0 0 6 6h28v-23z");
    let dot = svg("circle", "mark-dot").set("cx", "40.5").set("cy", "36").set("r", "3.6");
    svg("svg", "site-mark")
        .set("viewBox", "0 0 64 64")
        .set("aria-hidden", "true")
        .all(vec![ground.view(), line.view(), dot.view()])
        .view()
}

fn lines(shape: Shape) -> &'static str {
    match shape {
        Shape::Apps => "M4.5 4.5h6v6h-6zM13.5 4.5h6v6h-6zM4.5 13.5h6v6h-6zM13.5 13.5h6v6h-6z",
        Shape::Connections => {
            "M10 14a4 4 0 0 0 5.7 0l3.1-3.1a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0l-3.1 3.1a4 4 0 0 0 5.7 5.7L12 17.7"
        }
        Shape::Activity => "M4 6.5h10M4 12h16M4 17.5h7",
        Shape::Approvals => "M5 12.5l4.5 4.5L19 7.5",
        Shape::Next => "M9.5 5.5L16 12l-6.5 6.5",
        Shape::Back => "M14.5 5.5L8 12l6.5 6.5",
        Shape::Close => "M6 6l12 12M18 6L6 18",
        Shape::Check => "M5 12.5l4.5 4.5L19 7.5",
        Shape::Alert => "M12 4.5l8.5 15h-17zM12 10v4.5M12 17v.2",
        Shape::Out => "M10 4.5H5.5v15H10M15 8l4 4-4 4M19 12H9.5",
        Shape::Search => "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l4.5 4.5",
        Shape::Download => "M12 4v11M7.5 11L12 15.5 16.5 11M5 19.5h14",
        Shape::Lock => "M6 10.5h12v9H6zM8.5 10.5V8a3.5 3.5 0 0 1 7 0v2.5",
    }
}
