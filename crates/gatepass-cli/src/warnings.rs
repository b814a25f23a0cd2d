//! Collects the first library warning when no log filter is set, and prints it when the command
//! finishes.
//!
//! One warning is enough: a full disk, for example, causes a warning at each step of a command.

use std::fmt::{Debug, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

/// Starts to collect warnings.
pub(crate) fn install() {
    // A program that links this command as a library may have a subscriber, which then has the
    // warnings.
    let _ = tracing::subscriber::set_global_default(registry().with(WarningLayer));
}

/// Returns the first warning once, if the library has logged one.
pub(crate) fn take_first() -> Option<&'static str> {
    let first = FIRST.get()?;
    (!IS_TAKEN.swap(true, Ordering::Relaxed)).then_some(first)
}

static FIRST: OnceLock<String> = OnceLock::new();
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

struct WarningLayer;

impl<S: Subscriber> Layer<S> for WarningLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let is_own = metadata.target().starts_with("gatepass");
        is_own && metadata.is_event() && *metadata.level() <= LevelFilter::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let _ = FIRST.set(text(event));
    }
}

/// An event's message and its reason.
#[derive(Default)]
struct WarningFields {
    message: String,
    reason: String,
}

/// Returns the text of a warning: its message and its reason.
pub(crate) fn text(event: &Event<'_>) -> String {
    let mut fields = WarningFields::default();
    event.record(&mut fields);
    fields.message + &fields.reason
}

impl Visit for WarningFields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "error" => write!(self.reason, ": {value:?}"),
            _ => Ok(()),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "reason" {
            self.reason = format!(": {value}");
        }
    }
}
