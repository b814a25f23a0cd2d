//! Retries an operation while a vendor throttles or is down, until the deadline of `--wait`.
//!
//! The pause before each try is the cool-down of the source, which processes share: it grows with
//! each failure, has full jitter, and is never shorter than the vendor's own delay. The source is
//! given the deadline, so that the last pause ends before it and not after it.

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use gatepass::{Error, ErrorKind, Hint, Retry, TokenSource};
use tokio::time::{Instant, sleep};

use crate::error::CommandError;
use crate::options::Deadline;
use crate::output::{Output, format_duration};
use crate::progress;

/// The time between the latest start of a try and the deadline, for what happens in between.
const MARGIN: Duration = Duration::from_millis(200);

/// Calls `attempt` until it succeeds, its error is not worth a retry, or the deadline is over, and
/// returns the last outcome.
///
/// A call that has started by the deadline may finish. Between two calls the function waits until
/// the source's cool-down ends; if that is after the deadline, it returns at once. On a terminal, a
/// line shows the cause and the remaining time.
pub(crate) async fn with_retries<T, F>(
    deadline: Deadline,
    source: &TokenSource,
    output: &Output,
    attempt: impl FnMut() -> F,
) -> Result<T, CommandError>
where
    F: Future<Output = Result<T, Error>>,
{
    let window = deadline.remaining().saturating_sub(MARGIN);
    source.set_retry_window(Some(window));
    let stage = RefCell::new(Stage::InFlight);
    let retrying = retry_until(deadline, source, output, &stage, attempt);
    let line = || stage.borrow().describe(source, deadline);
    let outcome = progress::show_while(retrying, line, output).await?;
    source.set_retry_window(None);
    let with_delay =
        |error: Error| match (error.kind(), error.retry_after(), source.cooldown_remaining()) {
            // The vendor stated no delay: the next request is possible after the cool-down.
            (ErrorKind::Throttled, None, Some(cooldown)) => error.with_retry_after(cooldown),
            _ => error,
        };
    let outcome = outcome.map_err(with_delay).map_err(|error| match source.name() {
        // An earlier command's request has failed so.
        Some(name) if source.status().exchanges == 0 && error.age().is_some() => {
            error.hint(Hint::gatepass("no request was sent this time; see why", ["why", name]))
        }
        _ => error,
    });
    Ok(outcome?)
}

async fn retry_until<T, F>(
    deadline: Deadline,
    source: &TokenSource,
    output: &Output,
    stage: &RefCell<Stage>,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let (mut was_unusable, mut was_reported) = (false, false);
    loop {
        stage.replace(Stage::InFlight);
        let error = match attempt().await {
            Err(error) => error,
            done => return done,
        };
        let is_retried = match error.kind() {
            ErrorKind::Throttled | ErrorKind::Unavailable => error.retry() != Retry::Never,
            // The response may have been damaged in transit, which does not happen twice.
            ErrorKind::Protocol | ErrorKind::UnsafeToken => {
                error.retry() != Retry::Never && !std::mem::replace(&mut was_unusable, true)
            }
            _ => false,
        };
        let pause = source.cooldown_remaining().unwrap_or_default();
        if !is_retried || pause >= deadline.remaining() {
            return Err(error);
        }
        output.verbose(|| format!("{error}; next try in {} ms", pause.as_millis()));
        if pause >= Duration::from_secs(1) && !output.is_interactive() && !was_reported {
            was_reported = true;
            let (next, left) = (seconds(pause), seconds(deadline.remaining()));
            output.status(&format!("gatepass: {error}; next try in {next}, {left} left"));
        }
        stage.replace(Stage::Pause { error, end: Instant::now() + pause });
        sleep(pause).await;
    }
}

/// What a command waits for.
enum Stage {
    /// A token request, of this process or of another one.
    InFlight,
    /// The end of the cool-down after this error.
    Pause { error: Error, end: Instant },
}

impl Stage {
    /// Returns the remaining time and the cause of the wait, in one line. The time is at its
    /// beginning, because a narrow terminal cuts the end off.
    fn describe(&self, source: &TokenSource, deadline: Deadline) -> String {
        let left = match deadline.remaining() {
            Duration::ZERO => String::from("last try"),
            left => format!("{} left", seconds(left)),
        };
        match self {
            Self::InFlight => {
                let name = source.name().map(|name| format!("{name}: ")).unwrap_or_default();
                format!("{left}: {name}waiting for the response to a token request")
            }
            Self::Pause { error, end } => {
                let pause = end.saturating_duration_since(Instant::now());
                format!("{left}, next try in {}: {error}", seconds(pause))
            }
        }
    }
}

/// Formats a duration, rounded up to a second.
fn seconds(duration: Duration) -> String {
    let rounded = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    format_duration(Duration::from_secs(rounded))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::SystemTime;

    use gatepass::clock::Clock;
    use gatepass::http::HttpSend;
    use gatepass::provider::{Provider, Request, Response, async_trait};
    use gatepass::{Credential, Endpoint, Result, Token};

    use super::*;

    /// A provider and an HTTP client of a vendor that fails until this time after the start, with
    /// the times of the requests.
    #[derive(Clone, Debug)]
    struct Failing {
        error: Error,
        start: Instant,
        ends: Duration,
        requests: Arc<Mutex<Vec<Duration>>>,
    }

    impl Provider for Failing {
        fn id(&self) -> &str {
            "failing"
        }

        fn token_request(&self, _: &Credential) -> Result<Request> {
            Ok(Request::post(Endpoint::parse("https://vendor.example")?))
        }

        fn read_token(&self, _: &Response, sent: SystemTime) -> Result<Token> {
            Token::builder("token-1".into(), sent).expires_in(s(60).into()).build()
        }
    }

    #[async_trait]
    impl HttpSend for Failing {
        async fn send(&self, _: Request) -> Result<Response> {
            let now = self.start.elapsed();
            self.requests.lock().unwrap().push(now);
            match now < self.ends {
                true => Err(self.error.clone()),
                false => Ok(http::Response::new(bytes::Bytes::new()).into()),
            }
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

    /// The outcome of a command with `--wait`, at a vendor that fails for a time.
    struct Outcome {
        error: Option<CommandError>,
        requests: Vec<Duration>,
        took: Duration,
    }

    async fn outcome(error: Error, ends: u64, wait: Duration) -> Outcome {
        let args = crate::options::Common {
            config: None,
            set: Vec::new(),
            format: None,
            quiet: true,
            verbose: 0,
        };
        let (start, ends) = (Instant::now(), Duration::from_secs(ends));
        let failing = Failing { error, start, ends, requests: Arc::default() };
        let source = TokenSource::builder(failing.clone(), Credential::new())
            .http(failing.clone())
            .clock(RuntimeClock(start))
            .build()
            .unwrap();
        let output = Output::new(&args, String::from("token"));
        let done = with_retries(Deadline::after(wait), &source, &output, || source.token()).await;
        let requests = failing.requests.lock().unwrap().clone();
        Outcome { error: done.err(), requests, took: start.elapsed() }
    }

    const FOREVER: u64 = 1 << 40;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn tries_go_on_until_the_deadline() {
        for _ in 0..50 {
            for wait in [1, 5, 20, 120] {
                let Outcome { error, requests, took } =
                    outcome(Error::unavailable("down"), FOREVER, s(wait)).await;
                assert!(error.is_some());
                // The last try is near the deadline, and the command ends with it.
                let last = *requests.last().unwrap();
                assert!(last >= s(wait) - Duration::from_millis(300), "{requests:?}");
                assert!(took <= s(wait), "{took:?}");
                let gaps = requests.windows(2).map(|pair| pair[1] - pair[0]);
                assert!(gaps.clone().all(|gap| gap <= s(30)), "{requests:?}");
                assert!(requests.len() <= 20 + wait as usize / 5, "{requests:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn outage_that_ends_before_the_deadline_is_outlasted() {
        for _ in 0..50 {
            for ends in [1, 5, 10, 15, 19] {
                let outcome = outcome(Error::unavailable("down"), ends, s(20)).await;
                assert!(outcome.error.is_none(), "{ends}: {:?}", outcome.requests);
                let throttled = self::outcome(Error::throttled("wait"), ends.min(14), s(20)).await;
                assert!(throttled.error.is_none(), "{ends}: {:?}", throttled.requests);
            }
            // Longer than the clock can count.
            let outcome = outcome(Error::unavailable("down"), 100, Duration::MAX).await;
            assert!(outcome.error.is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn number_of_tries_depends_on_the_error() {
        let untrusted = Error::unavailable("unknown CA").with_retry(Retry::Never);
        for (error, wait, wanted) in [
            (Error::protocol("odd"), 20, 2),
            (Error::protocol("compressed").with_retry(Retry::Never), 20, 1),
            (Error::unsafe_token("empty").with_retry(Retry::Once), 20, 2),
            (Error::denied("no"), 20, 1),
            (Error::login_required("no"), 20, 1),
            (Error::config("wrong"), 20, 1),
            (Error::internal("a limit"), 20, 1),
            (untrusted, 20, 1),
            (Error::unavailable("down"), 0, 1),
            (Error::throttled("wait"), 0, 1),
        ] {
            let outcome = outcome(error.clone(), FOREVER, s(wait)).await;
            assert_eq!(outcome.requests.len(), wanted, "{error:?}");
            assert!(outcome.took < s(1), "{error:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn vendor_delay_is_kept_or_reported_at_once() {
        let throttled = |after| Error::throttled("wait").with_retry_after(s(after));
        for (after, ends) in [(7, 7), (19, 19)] {
            let outcome = outcome(throttled(after), ends, s(20)).await;
            assert!(outcome.error.is_none() && outcome.requests.len() == 2);
            assert!(outcome.took >= s(after) && outcome.took < s(20), "{:?}", outcome.took);
        }
        for error in [throttled(60), Error::unavailable("down").with_retry_after(s(60))] {
            let Outcome { error, requests, took } = outcome(error, 60, s(20)).await;
            assert_eq!((requests.len(), took), (1, Duration::ZERO));
            assert_eq!(error.unwrap().retry_after(), Some(s(60)));
        }
    }
}
