//! The parts that pages are made of.
//!
//! No element here is static from end to end with an attribute in it: the framework would make such a one from a text of
//! HTML, which the page's policy (Trusted Types) forbids. A class in braces, `class={"dot"}`, is enough; a test in a browser
//! finds what was forgotten.

mod base;
mod dialog;
mod frame;
mod head;
mod icon;
mod identity;
mod states;
mod theme;
mod time;
mod toast;

pub use base::{Badge, Button, Card, Kind, Status, Tone};
pub use dialog::{Dialog, next_id};
pub use frame::Frame;
pub use head::Head;
pub use icon::{Icon, Mark, Shape};
pub use identity::{Foreign, Logo, ProviderMark, agent_name, app_style};
pub use states::{Empty, ErrorBox, Load, Skeleton, Stale};
pub use theme::{ThemeChoice, apply as apply_theme};
pub use time::{Ago, Countdown, Day, Moment};
pub use toast::{ToastList, Toasts, provide as provide_toasts, use_toast};
