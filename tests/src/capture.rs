//! Everything that our crates log, at every level, as text.

use std::{
    fmt::{Debug, Write as _},
    sync::{Mutex, Once},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::Interest,
};

/// Starts capturing in this process, once. Returns what was logged so far, one line for each event and span.
pub fn logged() -> String {
    START.call_once(|| {
        // Only one subscriber can be there, and it is this one.
        tracing::subscriber::set_global_default(Capture).expect("no other subscriber");
    });
    LINES.lock().unwrap().clone()
}

static START: Once = Once::new();
static LINES: Mutex<String> = Mutex::new(String::new());

struct Capture;

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

fn write_line(metadata: &Metadata<'_>, record: impl FnOnce(&mut Fields)) {
    let mut fields = Fields(format!("{} {} {}", metadata.level(), metadata.target(), metadata.name()));
    record(&mut fields);
    let mut lines = LINES.lock().unwrap();
    lines.push_str(&fields.0);
    lines.push('\n');
}

impl Subscriber for Capture {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::always()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::TRACE
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        write_line(span.metadata(), |fields| span.record(fields));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        LINES.lock().unwrap().push_str(&fields.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        write_line(event.metadata(), |fields| event.record(fields));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
