//! The parts that pages are made of.

mod base;
mod dialog;
mod frame;
mod head;
mod icon;
mod identity;
pub mod plain;
mod states;
mod theme;
mod time;
mod toast;

pub use base::{Badge, Button, Kind, Status, Tone};
pub use dialog::{Dialog, next_id};
pub use frame::Frame;
pub use head::Head;
pub use icon::{Icon, Mark, Shape};
pub use identity::{Foreign, Logo, ProviderMark, agent_name, app_style};
pub use states::{Empty, ErrorBox, Skeleton, load, stale};
pub use theme::ThemeChoice;
pub use time::{Ago, Countdown, Day, Moment};
pub use toast::{ToastList, provide as provide_toasts, use_toast};
