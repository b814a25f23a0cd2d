//! Goes on when a vendor throttles or is down, for as long as `--wait` allows.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use gatepass::{Error, Retry};
use tokio::time::{Instant, sleep, timeout_at};

use crate::output::{Output, left};

/// The most tries one command makes.
const TRIES: u32 = 4;
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// Tries until it works, the error is not worth another try, or `wait` is over: then the last
/// error. The first try takes as long as it takes; the others end with `wait`.
pub(crate) async fn patiently<T, F>(
    wait: Duration,
    output: &Output,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let end = Instant::now() + wait;
    let mut result = attempt().await;
    for tried in 1..TRIES {
        let Err(error) = &result else { return result };
        let again = match error.retry() {
            Retry::Later => true,
            Retry::Once => tried == 1,
            _ => false,
        };
        let pause = pause(error, tried);
        if !again || Instant::now() + pause >= end {
            return result;
        }
        if pause >= Duration::from_secs(1) {
            output.say(&format!("gatepass: {error}; again in {}", left(pause.as_secs())));
        }
        sleep(pause).await;
        match timeout_at(end, attempt()).await {
            Ok(next) => result = next,
            Err(_) => return result,
        }
    }
    result
}

/// What the vendor asked for, plus up to a tenth; else full jitter below 250 ms, 500 ms, 1 s, ….
fn pause(error: &Error, tried: u32) -> Duration {
    let random = f64::from(RandomState::new().hash_one(tried) as u32) / f64::from(u32::MAX);
    match error.retry_after() {
        Some(after) => after.mul_f64(1.0 + random / 10.0),
        None => FIRST.saturating_mul(1 << tried.min(16)).min(LONGEST).mul_f64(random),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn tries(error: Error, wait: u64) -> (u32, Duration) {
        let args = crate::args::Common {
            config: None,
            set: Vec::new(),
            format: None,
            quiet: true,
            verbose: 0,
        };
        let (output, count, start) = (Output::new(&args), Cell::new(0), Instant::now());
        let done: Result<(), Error> = patiently(Duration::from_secs(wait), &output, || {
            count.set(count.get() + 1);
            let error = error.clone();
            async { Err(error) }
        })
        .await;
        assert!(done.is_err());
        (count.get(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn outages_are_tried_four_times_and_refusals_once() {
        assert_eq!(tries(Error::unavailable("down"), 20).await.0, 4);
        assert_eq!(tries(Error::protocol("odd"), 20).await.0, 2);
        assert_eq!(tries(Error::denied("no"), 20).await.0, 1);
        assert_eq!(tries(Error::config("wrong"), 20).await.0, 1);
        assert_eq!(tries(Error::unavailable("down"), 0).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_vendors_word_is_kept_and_wait_is_not_exceeded() {
        let throttled = |s| Error::throttled("wait").with_retry_after(Duration::from_secs(s));
        let (count, elapsed) = tries(throttled(7), 20).await;
        assert_eq!(count, 3);
        assert!(elapsed >= Duration::from_secs(14) && elapsed < Duration::from_secs(20));
        assert_eq!(tries(throttled(60), 20).await, (1, Duration::ZERO));
    }
}
