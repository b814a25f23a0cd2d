//! Retries an operation while a vendor throttles or is down, within `--wait`.

use std::future::Future;
use std::time::Duration;

use gatepass::{Error, ErrorKind, Hint, Retry, TokenSource};
use tokio::time::{Instant, sleep, timeout_at};

use crate::output::{Output, format_duration};

/// How often one command calls the operation at most.
const MAX_TRIES: u32 = 4;
/// The longest `--wait` that is added to the clock without an overflow.
const MAX_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Calls `attempt` until it succeeds, its error is not worth a retry, or `wait` is over, and returns
/// the last outcome.
///
/// The first call may take any time; later ones end with `wait`. Between two calls the function
/// waits until the source's cool-down ends.
pub(crate) async fn with_retries<T, F>(
    wait: Duration,
    source: &TokenSource,
    output: &Output,
    attempt: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let outcome = retry_until(wait, source, output, attempt).await;
    let with_delay =
        |error: Error| match (error.kind(), error.retry_after(), source.cooldown_remaining()) {
            // The vendor stated no delay: the next request is possible after the cool-down.
            (ErrorKind::Throttled, None, Some(cooldown)) => error.with_retry_after(cooldown),
            _ => error,
        };
    outcome.map_err(with_delay).map_err(|error| match source.name() {
        // The vendor returned this error to an earlier command.
        Some(name) if source.status().exchanges == 0 && error.status().is_some() => {
            error.hint(Hint::gatepass("no request was sent this time; see why", ["why", name]))
        }
        _ => error,
    })
}

async fn retry_until<T, F>(
    wait: Duration,
    source: &TokenSource,
    output: &Output,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let end = Instant::now() + wait.min(MAX_WAIT);
    let mut result = attempt().await;
    for tried in 1..MAX_TRIES {
        let Err(error) = &result else { return result };
        let is_retried = match error.retry() {
            Retry::Later => true,
            Retry::Once => tried == 1,
            _ => false,
        };
        let pause = source.cooldown_remaining().unwrap_or_default();
        if !is_retried || Instant::now() + pause >= end {
            return result;
        }
        if pause >= Duration::from_secs(1) {
            output.status(&format!("gatepass: {error}; next try in {}", format_duration(pause)));
        }
        sleep(pause).await;
        match timeout_at(end, attempt()).await {
            Ok(next) => result = next,
            Err(_) => return result,
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::{Arc, Mutex};
    use std::time::SystemTime;

    use gatepass::clock::Clock;
    use gatepass::http::HttpSend;
    use gatepass::provider::{Provider, Request, Response, async_trait};
    use gatepass::{Credential, Endpoint, Result, Token};

    use super::*;

    /// A provider and an HTTP client of a vendor that always fails, with a count of requests.
    #[derive(Clone, Debug)]
    struct Failing(Error, Arc<Mutex<u32>>);

    impl Provider for Failing {
        fn id(&self) -> &str {
            "failing"
        }

        fn token_request(&self, _: &Credential) -> Result<Request> {
            Ok(Request::post(Endpoint::parse("https://vendor.example")?))
        }

        fn read_token(&self, _: &Response, _: SystemTime) -> Result<Token> {
            Err(self.0.clone())
        }
    }

    #[async_trait]
    impl HttpSend for Failing {
        async fn send(&self, _: Request) -> Result<Response> {
            *self.1.lock().unwrap() += 1;
            Err(self.0.clone())
        }
    }

    /// A clock on the runtime's time, which a test can pause.
    #[derive(Debug)]
    struct RuntimeClock(Instant);

    impl Clock for RuntimeClock {
        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + self.0.elapsed()
        }

        fn boot(&self) -> Duration {
            self.0.elapsed()
        }
    }

    /// Returns the number of tries, the number of requests, and the time that passed.
    async fn tries(error: Error, wait: u64) -> (u32, u32, Duration) {
        let args = crate::options::Common {
            config: None,
            set: Vec::new(),
            format: None,
            quiet: true,
            verbose: 0,
        };
        let failing = Failing(error, Arc::default());
        let source = TokenSource::builder(failing.clone(), Credential::new())
            .http(failing.clone())
            .clock(RuntimeClock(Instant::now()))
            .build()
            .unwrap();
        let (output, count, start) =
            (Output::new(&args, String::from("token")), Cell::new(0), Instant::now());
        let wait = Duration::from_secs(wait);
        let done = with_retries(wait, &source, &output, || {
            count.set(count.get() + 1);
            source.token()
        })
        .await;
        assert!(done.is_err());
        let requests = *failing.1.lock().unwrap();
        (count.get(), requests, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn outage_is_retried_and_denial_is_not() {
        for (error, wait, wanted) in [
            (Error::unavailable("down"), 20, 4),
            (Error::protocol("odd"), 20, 2),
            (Error::denied("no"), 20, 1),
            (Error::config("wrong"), 20, 1),
            (Error::unavailable("down"), 0, 1),
            (Error::unavailable("down"), u64::MAX, 4),
        ] {
            let (tried, requests, _) = tries(error.clone(), wait).await;
            assert_eq!((tried, requests), (wanted, wanted), "{error:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn retry_keeps_vendor_delay_within_wait() {
        let throttled = |s| Error::throttled("wait").with_retry_after(Duration::from_secs(s));
        let (tried, _, elapsed) = tries(throttled(7), 20).await;
        assert_eq!(tried, 3);
        assert!(elapsed >= Duration::from_secs(14) && elapsed < Duration::from_secs(20));
        assert_eq!(tries(throttled(60), 20).await, (1, 1, Duration::ZERO));
    }
}
