//! Metrics and spans: what a source does, under names and labels from closed sets.

use std::time::{Duration, SystemTime};

use gatepass_core::ErrorKind;

use crate::exchange::Identity;

/// A flight under way; it counts as one until dropped.
#[derive(Debug)]
pub(crate) struct Flying {
    #[cfg(feature = "metrics")]
    gauge: ::metrics::Gauge,
}

/// A caller who waits for a flight; of no size where nobody measures.
#[derive(Debug)]
pub(crate) struct Waiting {
    #[cfg(feature = "metrics")]
    since: Duration,
}

#[cfg(feature = "metrics")]
mod on {
    use ::metrics::{counter, gauge, histogram};

    use super::*;

    /// Nothing for a pool's: a recorder keeps each label for good.
    fn profile(identity: &Identity) -> String {
        identity.name.clone().filter(|_| !identity.is_pooled).unwrap_or_default()
    }

    fn provider(identity: &Identity) -> String {
        identity.id.clone().into_owned()
    }

    pub(crate) fn flying(of: &Identity) -> Flying {
        let gauge = gauge!("gatepass_in_flight_requests", "provider" => provider(of), "profile" => profile(of));
        gauge.increment(1.0);
        Flying { gauge }
    }

    impl Drop for Flying {
        fn drop(&mut self) {
            self.gauge.decrement(1.0);
        }
    }

    pub(crate) fn exchanged(of: &Identity, outcome: &'static str, took: Duration) {
        counter!("gatepass_token_requests_total", "provider" => provider(of), "profile" => profile(of), "outcome" => outcome)
            .increment(1);
        histogram!("gatepass_token_request_seconds", "provider" => provider(of), "profile" => profile(of))
            .record(took);
    }

    impl Waiting {
        pub(crate) fn begin(of: &Identity) -> Self {
            Self { since: of.clock.boot() }
        }

        pub(crate) fn end(self, of: &Identity) {
            histogram!("gatepass_wait_seconds", "provider" => provider(of), "profile" => profile(of))
                .record(of.clock.boot().saturating_sub(self.since));
        }
    }

    pub(crate) fn rests(of: &Identity, kind: ErrorKind, length: Duration) {
        histogram!("gatepass_cooldown_seconds", "provider" => provider(of), "profile" => profile(of), "outcome" => kind.code())
            .record(length);
    }

    pub(crate) fn holds(of: &Identity, expires_at: SystemTime) {
        if of.is_pooled {
            return;
        }
        let end = expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        gauge!("gatepass_token_expiry_seconds", "provider" => provider(of), "profile" => profile(of))
            .set(end.as_secs_f64());
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use super::*;

    pub(crate) fn flying(_: &Identity) -> Flying {
        Flying {}
    }

    pub(crate) fn exchanged(_: &Identity, _: &'static str, _: Duration) {}

    impl Waiting {
        pub(crate) fn begin(_: &Identity) -> Self {
            Self {}
        }

        pub(crate) fn end(self, _: &Identity) {}
    }

    pub(crate) fn rests(_: &Identity, _: ErrorKind, _: Duration) {}

    pub(crate) fn holds(_: &Identity, _: SystemTime) {}
}

#[cfg(not(feature = "metrics"))]
pub(crate) use off::{exchanged, flying, holds, rests};
#[cfg(feature = "metrics")]
pub(crate) use on::{exchanged, flying, holds, rests};

/// The span that everything of one flight happens in, the provider's and the client's own events
/// included.
pub(crate) fn span(of: &Identity, flight: u64) -> tracing::Span {
    tracing::debug_span!("flight", provider = &*of.id, profile = of.name.as_deref(), flight)
}
