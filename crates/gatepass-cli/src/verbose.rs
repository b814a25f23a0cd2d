//! The lines of `-v`: what the command does, in sentences for users.
//!
//! The library's own log, which `-vv` prints, has events for its developers. Two kinds of them matter
//! to users as well: each HTTP request, and warnings.

use std::fmt::Debug;
use std::io::{self, Write};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use crate::warnings;

/// Starts to print requests and warnings of the library.
pub(crate) fn install() {
    // A program that links this command as a library may have a subscriber.
    let _ = tracing::subscriber::set_global_default(registry().with(VerboseLayer));
}

/// Prints one line on stderr.
pub(crate) fn print(text: &str) {
    // A command does not fail because its stderr is closed.
    let _ = writeln!(io::stderr().lock(), "gatepass: {text}");
}

/// The target of the event that the HTTP client logs for each request.
const REQUEST: &str = "gatepass_http::request";

struct VerboseLayer;

impl<S: Subscriber> Layer<S> for VerboseLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let is_warning = *metadata.level() <= Level::WARN;
        let is_request = metadata.target() == REQUEST;
        metadata.is_event()
            && (is_request || is_warning && metadata.target().starts_with("gatepass"))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != REQUEST {
            return print(&format!("warning: {}", warnings::text(event)));
        }
        let mut request = Request::default();
        event.record(&mut request);
        print(&request.line());
    }
}

/// A request that has ended, without its path and query.
#[derive(Default)]
struct Request {
    method: String,
    origin: String,
    status: Option<u64>,
    milliseconds: u64,
}

impl Request {
    fn line(&self) -> String {
        let Self { method, origin, status, milliseconds } = self;
        match status {
            Some(status) => format!("{method} {origin} {status} in {milliseconds} ms"),
            None => format!("{method} {origin} failed after {milliseconds} ms"),
        }
    }
}

impl Visit for Request {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "method" => self.method = format!("{value:?}"),
            "origin" => self.origin = format!("{value:?}"),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "status" => self.status = Some(value),
            "elapsed_ms" => self.milliseconds = value,
            _ => {}
        }
    }
}
