//! What the library warns of where nobody asked for its log: the first of it is told at the end.
//! A disk that is full warns at each step, and one line says it all.

use std::fmt::{Debug, Write};
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Listens from now on, unless somebody else does.
pub(crate) fn listen() {
    // Whoever listens already tells more.
    let _ = tracing::subscriber::set_global_default(Listener);
}

/// The first warning, if there was one.
pub(crate) fn first() -> Option<&'static str> {
    FIRST.get().map(String::as_str)
}

static FIRST: OnceLock<String> = OnceLock::new();

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target().starts_with("gatepass");
        is_ours && metadata.is_event() && *metadata.level() <= LevelFilter::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let _ = FIRST.set(words.what + &words.why);
    }

    // No span is enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// An event's message and the reason it gives.
#[derive(Default)]
struct Words {
    what: String,
    why: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.what, "{value:?}"),
            "error" => write!(self.why, ": {value:?}"),
            _ => Ok(()),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "why" {
            self.why = format!(": {value}");
        }
    }
}
