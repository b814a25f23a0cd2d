//! Benchmark of a service: callers continue while tokens expire and vendors are slow or fail.

use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};

use gatepass_engine::TokenSource;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::rivals::Locked;
use crate::vendor::Vendor;
use crate::{clock, table};

const MANY: usize = 200;
const SOME: usize = 50;
/// Pause of a caller between two calls.
const PAUSE: Duration = Duration::from_millis(3);
/// A longer call counts as a long wait.
const LONG: Duration = Duration::from_millis(1);

/// The cache to measure.
#[derive(Clone)]
enum Cache {
    Gatepass(TokenSource),
    Locked(Locked),
}

/// What the callers observed.
#[derive(Debug, Default)]
struct Tally {
    calls: usize,
    errors: usize,
    expired: usize,
    waits: usize,
    long_waits: usize,
    /// Waits that started while a usable token was cached.
    needless: usize,
    longest: Duration,
    requests: usize,
    lifetimes: f64,
}

impl Cache {
    const BOTH: [&str; 2] = ["gatepass", "`tokio::sync::RwLock`"];

    fn of(name: &str, vendor: &Vendor, lifetime: Duration) -> Self {
        match name {
            "gatepass" => Self::Gatepass(vendor.builder().build().unwrap()),
            _ => Self::Locked(Locked::new(vendor, lifetime)),
        }
    }

    fn ahead(name: &str, vendor: &Vendor, lifetime: Duration, ahead: Duration) -> Self {
        match name {
            "gatepass" => Self::Gatepass(vendor.builder_ahead(ahead).build().unwrap()),
            _ => Self::Locked(Locked::new(vendor, lifetime).ahead(ahead)),
        }
    }

    fn has_token(&self) -> bool {
        match self {
            Self::Gatepass(source) => source.peek().is_some(),
            Self::Locked(locked) => locked.has_token(),
        }
    }

    /// Returns whether the token was usable, or an error if there was none.
    async fn acquire(&self, vendor: &Vendor) -> Result<bool, ()> {
        match self {
            Self::Gatepass(source) => {
                let token = source.token().await.map_err(drop)?;
                Ok(!vendor.has_expired(token.expose_secret()))
            }
            Self::Locked(locked) => {
                let entry = locked.token().await.map_err(drop)?;
                Ok(!vendor.has_expired(&entry.token))
            }
        }
    }

    /// Runs `callers` callers until `until`.
    async fn serve(&self, vendor: &Vendor, callers: usize, until: Instant) -> Tally {
        let before = vendor.requests();
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            tasks.spawn(call(self.clone(), vendor.clone(), until));
        }
        let mut all = Tally::default();
        for one in tasks.join_all().await {
            all.add(&one);
        }
        all.requests = vendor.requests() - before;
        all
    }
}

async fn call(cache: Cache, vendor: Vendor, until: Instant) -> Tally {
    let mut tally = Tally::default();
    while clock::now() < until {
        let had_token = cache.has_token();
        let started = clock::now();
        let mut acquiring = pin!(cache.acquire(&vendor));
        let mut polls = 0;
        let outcome = poll_fn(|cx| {
            polls += 1;
            acquiring.as_mut().poll(cx)
        });
        let outcome = outcome.await;
        let took = started.elapsed();
        let waited = polls > 1;
        tally.add(&Tally {
            calls: 1,
            errors: usize::from(outcome.is_err()),
            expired: usize::from(outcome == Ok(false)),
            waits: usize::from(waited),
            long_waits: usize::from(waited && took > LONG),
            needless: usize::from(waited && had_token),
            longest: took,
            ..Tally::default()
        });
        sleep(PAUSE).await;
    }
    tally
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.expired += other.expired;
        self.waits += other.waits;
        self.long_waits += other.long_waits;
        self.needless += other.needless;
        self.longest = self.longest.max(other.longest);
    }

    fn print(&self, name: &str) {
        let per_lifetime = match self.lifetimes {
            0.0 => String::new(),
            lifetimes => format!("{:.2}", self.requests as f64 / lifetimes),
        };
        table::row(
            name,
            &[
                &self.calls,
                &self.errors,
                &self.expired,
                &self.waits,
                &self.needless,
                &self.long_waits,
                &format!("{:.1}", self.longest.as_secs_f64() * 1e3),
                &self.requests,
                &per_lifetime,
            ],
        );
    }
}

const COLUMNS: [&str; 10] = [
    "",
    "calls",
    "errors",
    "expired tokens",
    "waits",
    "waits with a usable token",
    "waits over 1 ms",
    "longest call, ms",
    "requests",
    "requests per lifetime",
];

/// Measures `lifetimes` lifetimes of tokens that are valid for `lifetime` seconds, from the first
/// token on.
async fn lifetimes(
    name: &'static str,
    lifetime: u64,
    latency: u64,
    lifetimes: f64,
    callers: usize,
) -> Tally {
    let vendor = Vendor::new(lifetime, Duration::from_millis(latency));
    let lifetime = Duration::from_secs(lifetime);
    let cache = Cache::of(name, &vendor, lifetime);
    cache.acquire(&vendor).await.unwrap();
    let mut tally = cache.serve(&vendor, callers, clock::now() + lifetime.mul_f64(lifetimes)).await;
    tally.lifetimes = lifetimes;
    tally
}

/// Measures a vendor that responds with `status` for 8 s, starting when the refresh is due. Tokens
/// are valid for 24 s, and both caches refresh at half of that.
async fn outage(name: &'static str, status: u16) -> Tally {
    let vendor = Vendor::new(24, Duration::from_millis(50));
    let (lifetime, half) = (Duration::from_secs(24), Duration::from_secs(12));
    let cache = Cache::ahead(name, &vendor, lifetime, half);
    cache.acquire(&vendor).await.unwrap();
    sleep(half - Duration::from_millis(200)).await;
    vendor.respond_with(status);
    let until = clock::now() + Duration::from_millis(8200);
    cache.serve(&vendor, MANY, until).await
}

pub(crate) fn run() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let both = |scenario: fn(&'static str) -> Running| {
            Cache::BOTH.map(|name| (name, tokio::spawn(scenario(name))))
        };
        let scenarios: [(&str, [_; 2]); 5] = [
            (
                "Ten lifetimes of 4 s, vendor at 300 ms",
                both(|name| Box::pin(lifetimes(name, 4, 300, 10.0, SOME))),
            ),
            (
                "The vendor responds with 500 for 8 s while the token is valid, 200 callers",
                both(|name| Box::pin(outage(name, 500))),
            ),
            (
                "The vendor responds with 400 for 8 s while the token is valid, 200 callers",
                both(|name| Box::pin(outage(name, 400))),
            ),
            (
                "Tokens that are valid for 60 s, vendor at 50 ms",
                both(|name| Box::pin(lifetimes(name, 60, 50, 1.5, SOME))),
            ),
            (
                "Tokens that are valid for 5 s, vendor at 50 ms",
                both(|name| Box::pin(lifetimes(name, 5, 50, 10.0, SOME))),
            ),
        ];
        for (title, both) in scenarios {
            table::head(title, &COLUMNS);
            for (name, tally) in both {
                tally.await.unwrap().print(name);
            }
        }
    });
}

type Running = std::pin::Pin<Box<dyn Future<Output = Tally> + Send>>;
