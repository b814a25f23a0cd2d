//! Goes on when a vendor throttles or is down, for as long as `--wait` allows.

use std::future::Future;
use std::time::Duration;

use gatepass::{Error, ErrorKind, Retry, TokenSource};
use tokio::time::{Instant, sleep, timeout_at};

use crate::output::{Output, format_duration};

/// The most tries one command makes.
const TRIES: u32 = 4;
/// The longest that it goes on, which is for ever: a clock has an end.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Tries until it works, the error is not worth another try, or `wait` is over: then the last
/// error. The first try takes as long as it takes; the others end with `wait`. Between two tries
/// it waits for as long as the source rests.
pub(crate) async fn with_retries<T, F>(
    wait: Duration,
    source: &TokenSource,
    output: &Output,
    attempt: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let outcome = try_until(wait, source, output, attempt).await;
    let timed =
        |error: Error| match (error.kind(), error.retry_after(), source.cooldown_remaining()) {
            // The vendor named no time: nobody asks before the rest is over.
            (ErrorKind::Throttled, None, Some(rest)) => error.with_retry_after(rest),
            _ => error,
        };
    outcome.map_err(timed).map_err(|error| match source.name() {
        // The answer is one that the vendor gave to an earlier command.
        Some(name) if source.status().exchanges == 0 && error.status().is_some() => {
            error.and_hint(&format!("the vendor was not asked now: see `gatepass why {name}`"))
        }
        _ => error,
    })
}

async fn try_until<T, F>(
    wait: Duration,
    source: &TokenSource,
    output: &Output,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let end = Instant::now() + wait.min(LONGEST);
    let mut result = attempt().await;
    for tried in 1..TRIES {
        let Err(error) = &result else { return result };
        let again = match error.retry() {
            Retry::Later => true,
            Retry::Once => tried == 1,
            _ => false,
        };
        let pause = source.cooldown_remaining().unwrap_or_default();
        if !again || Instant::now() + pause >= end {
            return result;
        }
        if pause >= Duration::from_secs(1) {
            output.status(&format!("gatepass: {error}; again in {}", format_duration(pause)));
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

    use gatepass::{
        Clock, Credential, Endpoint, HttpSend, Provider, Request, Response, Result, Token,
        async_trait,
    };

    use super::*;

    /// A provider, a sender and a clock for a vendor that only ever fails.
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

    /// The runtime's own time, which a test can pause.
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

    /// How often somebody tried, how often the vendor was asked, and how long it took.
    async fn tries(error: Error, wait: u64) -> (u32, u32, Duration) {
        let args = crate::options::Common {
            config: None,
            set: Vec::new(),
            format: None,
            quiet: true,
            verbose: 0,
        };
        let failing = Failing(error, Arc::default());
        let source = TokenSource::builder(failing.clone())
            .credential(Credential::new())
            .http(failing.clone())
            .clock(RuntimeClock(Instant::now()))
            .build();
        let (output, count, start) =
            (Output::new(&args, String::from("token")), Cell::new(0), Instant::now());
        let wait = Duration::from_secs(wait);
        let done = with_retries(wait, &source, &output, || {
            count.set(count.get() + 1);
            source.token()
        })
        .await;
        assert!(done.is_err());
        let asked = *failing.1.lock().unwrap();
        (count.get(), asked, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn outages_are_tried_four_times_and_refusals_once() {
        for (error, wait, wanted) in [
            (Error::unavailable("down"), 20, 4),
            (Error::protocol("odd"), 20, 2),
            (Error::denied("no"), 20, 1),
            (Error::config("wrong"), 20, 1),
            (Error::unavailable("down"), 0, 1),
            (Error::unavailable("down"), u64::MAX, 4),
        ] {
            let (tried, asked, _) = tries(error.clone(), wait).await;
            assert_eq!((tried, asked), (wanted, wanted), "{error:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_vendors_word_is_kept_and_wait_is_not_exceeded() {
        let throttled = |s| Error::throttled("wait").with_retry_after(Duration::from_secs(s));
        let (tried, _, elapsed) = tries(throttled(7), 20).await;
        assert_eq!(tried, 3);
        assert!(elapsed >= Duration::from_secs(14) && elapsed < Duration::from_secs(20));
        assert_eq!(tries(throttled(60), 20).await, (1, 1, Duration::ZERO));
    }
}
