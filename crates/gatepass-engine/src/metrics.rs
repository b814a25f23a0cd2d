//! Metrics and spans: what a source does, under names and labels from closed sets.

use std::time::{Duration, SystemTime};

use gatepass_core::ErrorKind;

use crate::exchange::SourceConfig;

/// A flight under way; it counts as one until dropped.
#[derive(Debug)]
pub(crate) struct InFlightGauge {
    #[cfg(feature = "metrics")]
    gauge: ::metrics::Gauge,
}

/// A caller who waits for a flight; of no size where nobody measures.
#[derive(Debug)]
pub(crate) struct WaitTimer {
    #[cfg(feature = "metrics")]
    since: Duration,
}

#[cfg(feature = "metrics")]
mod on {
    use ::metrics::{counter, gauge, histogram};

    use super::*;

    /// Nothing for a pool's: a recorder keeps each label for good.
    fn profile(config: &SourceConfig) -> String {
        config.name.clone().filter(|_| !config.is_pooled).unwrap_or_default()
    }

    fn provider(config: &SourceConfig) -> String {
        config.provider_id.clone().into_owned()
    }

    pub(crate) fn in_flight(of: &SourceConfig) -> InFlightGauge {
        let gauge = gauge!("gatepass_in_flight_requests", "provider" => provider(of), "profile" => profile(of));
        gauge.increment(1.0);
        InFlightGauge { gauge }
    }

    impl Drop for InFlightGauge {
        fn drop(&mut self) {
            self.gauge.decrement(1.0);
        }
    }

    pub(crate) fn record_exchange(of: &SourceConfig, outcome: &'static str, took: Duration) {
        counter!("gatepass_token_requests_total", "provider" => provider(of), "profile" => profile(of), "outcome" => outcome)
            .increment(1);
        histogram!("gatepass_token_request_seconds", "provider" => provider(of), "profile" => profile(of))
            .record(took);
    }

    impl WaitTimer {
        pub(crate) fn begin(of: &SourceConfig) -> Self {
            Self { since: of.clock.boot() }
        }

        pub(crate) fn end(self, of: &SourceConfig) {
            histogram!("gatepass_wait_seconds", "provider" => provider(of), "profile" => profile(of))
                .record(of.clock.boot().saturating_sub(self.since));
        }
    }

    pub(crate) fn record_cooldown(of: &SourceConfig, kind: ErrorKind, cooldown: Duration) {
        histogram!("gatepass_cooldown_seconds", "provider" => provider(of), "profile" => profile(of), "outcome" => kind.code())
            .record(cooldown);
    }

    pub(crate) fn record_expiry(of: &SourceConfig, expires_at: SystemTime) {
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

    pub(crate) fn in_flight(_: &SourceConfig) -> InFlightGauge {
        InFlightGauge {}
    }

    pub(crate) fn record_exchange(_: &SourceConfig, _: &'static str, _: Duration) {}

    impl WaitTimer {
        pub(crate) fn begin(_: &SourceConfig) -> Self {
            Self {}
        }

        pub(crate) fn end(self, _: &SourceConfig) {}
    }

    pub(crate) fn record_cooldown(_: &SourceConfig, _: ErrorKind, _: Duration) {}

    pub(crate) fn record_expiry(_: &SourceConfig, _: SystemTime) {}
}

#[cfg(not(feature = "metrics"))]
pub(crate) use off::{in_flight, record_cooldown, record_exchange, record_expiry};
#[cfg(feature = "metrics")]
pub(crate) use on::{in_flight, record_cooldown, record_exchange, record_expiry};

/// The span that everything of one flight happens in, the provider's and the client's own events
/// included.
pub(crate) fn span(of: &SourceConfig, flight: u64) -> tracing::Span {
    tracing::debug_span!(
        "flight",
        provider = &*of.provider_id,
        profile = of.name.as_deref(),
        flight
    )
}
