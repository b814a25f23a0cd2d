//! A cached token with its validity, its API headers and the time of its next refresh.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatepass_core::{ApiRequest, Clock, Credential, RefreshHints, Token};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};

use crate::fingerprint::Fingerprint;
use crate::freshness::FreshnessHint;
use crate::policy::{Moment, Phase, Validity};
use crate::source_config::SourceConfig;

/// A token as the cache stores it.
#[derive(Debug)]
pub(crate) struct CachedToken {
    pub(crate) token: Token,
    pub(crate) validity: Validity,
    pub(crate) freshness_hint: FreshnessHint,
    headers: Headers,
    /// Whether the token comes from the store and not from the vendor.
    pub(crate) is_stored: bool,
    /// Whether it replaced a token that an API had rejected, in this or another process.
    pub(crate) is_replacement: bool,
    /// The credential that brought it; unknown for a token that a pool has cached before.
    pub(crate) credential: Option<Fingerprint>,
    /// Earliest start of the next refresh, in nanoseconds of the boot clock. Later than now while
    /// a refresh is in progress and after a failed one.
    refresh_not_before: AtomicU64,
}

/// The headers that [`Provider::authorize`](gatepass_core::Provider::authorize) sets. Those that
/// do not depend on the request are computed once, so that the credential need not be kept.
#[derive(Debug)]
enum Headers {
    /// The token's own `Authorization` header and no other.
    Bearer,
    Others(Box<HeaderMap>),
    /// `authorize` failed, or its result depends on the request. It is called for each request,
    /// and the caller gets its error.
    PerRequest,
}

impl Headers {
    fn of(headers: HeaderMap, token: &Token) -> Self {
        if headers.len() == 1 && headers.get(AUTHORIZATION) == Some(token.authorization()) {
            Self::Bearer
        } else {
            Self::Others(Box::new(headers))
        }
    }
}

impl SourceConfig {
    /// Wraps the token of a request that was sent at `started` or soon after.
    pub(crate) fn cache_token(
        &self,
        token: Token,
        credential: &Credential,
        started: Moment,
    ) -> CachedToken {
        let (expires_at, lifetime) = (token.expires_at(), token.lifetime());
        let validity = Validity::new(expires_at, lifetime, self.leeway, started, self.now());
        self.cached(validity, token, credential, false)
    }

    /// Wraps a token that the store returned.
    pub(crate) fn cache_stored(&self, token: Token, credential: &Credential) -> CachedToken {
        let (expires_at, lifetime) = (token.expires_at(), token.lifetime());
        let validity = Validity::from_stored(expires_at, lifetime, self.leeway, self.now());
        self.cached(validity, token, credential, true)
    }

    fn cached(
        &self,
        validity: Validity,
        token: Token,
        credential: &Credential,
        is_stored: bool,
    ) -> CachedToken {
        self.allowed_origins.record_token_endpoints(&*self.provider, credential);
        let (mut uri, mut headers) = (Uri::default(), HeaderMap::new());
        let mut request = ApiRequest::new(&mut uri, &mut headers);
        let outcome = self.provider.authorize(credential, &token, &mut request);
        let headers = match outcome {
            Ok(()) if request.has_only_fixed_headers() => Headers::of(headers, &token),
            _ => Headers::PerRequest,
        };
        let (freshness_hint, refresh_not_before) = (FreshnessHint::default(), AtomicU64::new(0));
        let credential = Some(Fingerprint::of(credential));
        CachedToken {
            token,
            validity,
            freshness_hint,
            headers,
            is_stored,
            is_replacement: false,
            credential,
            refresh_not_before,
        }
    }
}

impl CachedToken {
    /// Wraps a token that a pool has cached before, so that a source can refresh it.
    pub(crate) fn reuse(token: Token, validity: Validity) -> Self {
        let (freshness_hint, headers) = (FreshnessHint::default(), Headers::PerRequest);
        let (is_stored, refresh_not_before) = (false, AtomicU64::new(0));
        let credential = None;
        Self {
            token,
            validity,
            freshness_hint,
            headers,
            is_stored,
            is_replacement: false,
            credential,
            refresh_not_before,
        }
    }

    /// Returns whether the vendor needs only the token's own `Authorization` header.
    pub(crate) fn is_bearer(&self) -> bool {
        matches!(self.headers, Headers::Bearer)
    }

    /// Returns the phase for a caller that needs the token for `min_remaining`.
    pub(crate) fn phase(&self, now: Moment, min_remaining: Duration) -> Phase {
        self.validity.phase(now, min_remaining)
    }

    /// Returns the phase by the exact clocks. A fresh token needs no such check for a while after
    /// `coarse`, a reading of the coarse clock that was made before.
    #[cold]
    #[inline(never)]
    pub(crate) fn check(
        &self,
        clock: &dyn Clock,
        coarse: Option<u64>,
        min_remaining: Duration,
    ) -> Phase {
        let now = Moment::now(clock);
        let phase = self.phase(now, min_remaining);
        if phase == Phase::Fresh {
            self.freshness_hint.extend(coarse, self.validity.fresh_for(now));
        }
        phase
    }

    pub(crate) fn is_usable(&self, now: Moment) -> bool {
        self.phase(now, Duration::ZERO) != Phase::Expired
    }

    /// Returns whether a refresh of the aging token may start.
    pub(crate) fn is_due(&self, boot: Duration) -> bool {
        nanos(boot) >= self.refresh_not_before.load(Ordering::Relaxed)
    }

    /// Lets no refresh start before `boot`.
    pub(crate) fn suppress_refresh_until(&self, boot: Duration) {
        self.refresh_not_before.store(nanos(boot), Ordering::Relaxed);
    }

    /// Plans the refresh of a token that was received at `now`.
    pub(crate) fn with_refresh_ahead(self, hints: &RefreshHints, jitter: f64, now: Moment) -> Self {
        // The part of the lifetime that has passed is the time that the vendor took to respond. A
        // stored token is older than that.
        let request_time = match self.is_stored {
            true => Duration::ZERO,
            false => self.token.lifetime().saturating_sub(self.validity.remaining(now)),
        };
        let validity = self.validity.with_refresh_ahead(hints, jitter, now).with_refresh_margin(
            request_time.mul_f64(1.5 + jitter),
            hints,
            now,
        );
        Self { validity, ..self }
    }

    /// Plans no refresh: the vendor returns the same token until it expires.
    pub(crate) fn without_refresh(self) -> Self {
        Self { validity: self.validity.without_refresh(), ..self }
    }

    /// Puts the token on a request. Returns false if
    /// [`Provider::authorize`](gatepass_core::Provider::authorize) has to be called instead.
    pub(crate) fn authorize(&self, request: &mut ApiRequest<'_>) -> bool {
        match &self.headers {
            Headers::Bearer => {
                request.set_header(AUTHORIZATION, self.token.authorization().clone());
            }
            Headers::Others(others) => {
                for (name, value) in &**others {
                    request.set_header(name.clone(), value.clone());
                }
            }
            Headers::PerRequest => return false,
        }
        true
    }
}

fn nanos(boot: Duration) -> u64 {
    u64::try_from(boot.as_nanos()).unwrap_or(u64::MAX)
}
