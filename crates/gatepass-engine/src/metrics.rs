//! Metrics and the tracing span of a flight. Names and labels come from closed sets.

use std::time::{Duration, SystemTime};

use gatepass_core::ErrorKind;

use crate::source_config::SourceConfig;

/// Counts a flight in progress until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlightGauge {
    #[cfg(feature = "metrics")]
    gauge: ::metrics::Gauge,
}

/// Measures how long a caller waits for a flight. Has no size without the feature.
#[derive(Debug)]
pub(crate) struct WaitTimer {
    #[cfg(feature = "metrics")]
    started: Duration,
}

#[cfg(feature = "metrics")]
mod on {
    use ::metrics::{counter, gauge, histogram};

    use super::*;

    /// Returns an empty label for a pool's source, because a recorder never drops a label.
    fn profile(config: &SourceConfig) -> String {
        config.name.clone().filter(|_| !config.is_pooled).unwrap_or_default()
    }

    fn provider(config: &SourceConfig) -> String {
        config.provider_id.clone().into_owned()
    }

    pub(crate) fn in_flight(config: &SourceConfig) -> InFlightGauge {
        let gauge = gauge!("gatepass_in_flight_requests", "provider" => provider(config), "profile" => profile(config));
        gauge.increment(1.0);
        InFlightGauge { gauge }
    }

    impl Drop for InFlightGauge {
        fn drop(&mut self) {
            self.gauge.decrement(1.0);
        }
    }

    pub(crate) fn record_exchange(config: &SourceConfig, outcome: &'static str, took: Duration) {
        counter!("gatepass_token_requests_total", "provider" => provider(config), "profile" => profile(config), "outcome" => outcome)
            .increment(1);
        histogram!("gatepass_token_request_seconds", "provider" => provider(config), "profile" => profile(config))
            .record(took);
    }

    pub(crate) fn record_lease(config: &SourceConfig, outcome: &'static str) {
        counter!("gatepass_lease_total", "provider" => provider(config), "profile" => profile(config), "outcome" => outcome)
            .increment(1);
    }

    impl WaitTimer {
        pub(crate) fn start(config: &SourceConfig) -> Self {
            Self { started: config.clock.boot() }
        }

        pub(crate) fn stop(self, config: &SourceConfig) {
            histogram!("gatepass_wait_seconds", "provider" => provider(config), "profile" => profile(config))
                .record(config.clock.boot().saturating_sub(self.started));
        }
    }

    pub(crate) fn record_cooldown(config: &SourceConfig, kind: ErrorKind, cooldown: Duration) {
        histogram!("gatepass_cooldown_seconds", "provider" => provider(config), "profile" => profile(config), "outcome" => kind.code())
            .record(cooldown);
    }

    pub(crate) fn record_expiry(config: &SourceConfig, expires_at: SystemTime) {
        if config.is_pooled {
            return;
        }
        let end = expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        gauge!("gatepass_token_expiry_seconds", "provider" => provider(config), "profile" => profile(config))
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

    pub(crate) fn record_lease(_: &SourceConfig, _: &'static str) {}

    impl WaitTimer {
        pub(crate) fn start(_: &SourceConfig) -> Self {
            Self {}
        }

        pub(crate) fn stop(self, _: &SourceConfig) {}
    }

    pub(crate) fn record_cooldown(_: &SourceConfig, _: ErrorKind, _: Duration) {}

    pub(crate) fn record_expiry(_: &SourceConfig, _: SystemTime) {}
}

#[cfg(not(feature = "metrics"))]
pub(crate) use off::{in_flight, record_cooldown, record_exchange, record_expiry, record_lease};
#[cfg(feature = "metrics")]
pub(crate) use on::{in_flight, record_cooldown, record_exchange, record_expiry, record_lease};

/// Returns the span of one flight, which also contains the events of the provider and the HTTP
/// client.
pub(crate) fn span(config: &SourceConfig, flight: u64) -> tracing::Span {
    tracing::debug_span!(
        "flight",
        provider = &*config.provider_id,
        profile = config.name.as_deref(),
        flight
    )
}
