//! Service: callers go on asking while tokens end, vendors are slow, and vendors break.

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
/// How long a caller thinks between two calls.
const PAUSE: Duration = Duration::from_millis(3);
/// A call that takes longer has waited.
const LONG: Duration = Duration::from_millis(1);

/// Who hands out tokens.
#[derive(Clone)]
enum Cache {
    Gatepass(TokenSource),
    Locked(Locked),
}

/// What callers saw.
#[derive(Debug, Default)]
struct Tally {
    calls: usize,
    errors: usize,
    dead: usize,
    waits: usize,
    long_waits: usize,
    /// Of the waits: those that began while a usable token was held.
    needless: usize,
    longest: Duration,
    requests: usize,
    lives: f64,
}

impl Cache {
    const BOTH: [&str; 2] = ["gatepass", "`tokio::sync::RwLock`"];

    fn of(name: &str, vendor: &Vendor, life: Duration) -> Self {
        match name {
            "gatepass" => Self::Gatepass(vendor.builder().build().unwrap()),
            _ => Self::Locked(Locked::new(vendor, life)),
        }
    }

    fn ahead(name: &str, vendor: &Vendor, life: Duration, ahead: Duration) -> Self {
        match name {
            "gatepass" => Self::Gatepass(vendor.builder_ahead(ahead).build().unwrap()),
            _ => Self::Locked(Locked::new(vendor, life).ahead(ahead)),
        }
    }

    fn has_token(&self) -> bool {
        match self {
            Self::Gatepass(source) => source.peek().is_some(),
            Self::Locked(locked) => locked.has_token(),
        }
    }

    /// Whether the token was alive; an error if there was none.
    async fn ask(&self, vendor: &Vendor) -> Result<bool, ()> {
        match self {
            Self::Gatepass(source) => {
                let token = source.token().await.map_err(drop)?;
                Ok(!vendor.has_ended(token.expose_secret()))
            }
            Self::Locked(locked) => {
                let entry = locked.token().await.map_err(drop)?;
                Ok(!vendor.has_ended(&entry.token))
            }
        }
    }

    /// So many callers until then.
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
        let begun = clock::now();
        let mut asking = pin!(cache.ask(&vendor));
        let mut polls = 0;
        let outcome = poll_fn(|cx| {
            polls += 1;
            asking.as_mut().poll(cx)
        });
        let outcome = outcome.await;
        let took = begun.elapsed();
        let waited = polls > 1;
        tally.add(&Tally {
            calls: 1,
            errors: usize::from(outcome.is_err()),
            dead: usize::from(outcome == Ok(false)),
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
        self.dead += other.dead;
        self.waits += other.waits;
        self.long_waits += other.long_waits;
        self.needless += other.needless;
        self.longest = self.longest.max(other.longest);
    }

    fn print(&self, name: &str) {
        let per_life = match self.lives {
            0.0 => String::new(),
            lives => format!("{:.2}", self.requests as f64 / lives),
        };
        table::row(
            name,
            &[
                &self.calls,
                &self.errors,
                &self.dead,
                &self.waits,
                &self.needless,
                &self.long_waits,
                &format!("{:.1}", self.longest.as_secs_f64() * 1e3),
                &self.requests,
                &per_life,
            ],
        );
    }
}

const COLUMNS: [&str; 10] = [
    "",
    "calls",
    "errors",
    "dead tokens",
    "waits",
    "waits with a usable token",
    "waits over 1 ms",
    "longest call, ms",
    "requests",
    "requests a life",
];

/// A vendor whose tokens live for so many seconds, for so many lives. Nobody is counted before
/// the first token.
async fn lives(name: &'static str, life: u64, latency: u64, lives: f64, callers: usize) -> Tally {
    let vendor = Vendor::new(life, Duration::from_millis(latency));
    let life = Duration::from_secs(life);
    let cache = Cache::of(name, &vendor, life);
    cache.ask(&vendor).await.unwrap();
    let mut tally = cache.serve(&vendor, callers, clock::now() + life.mul_f64(lives)).await;
    tally.lives = lives;
    tally
}

/// A vendor that answers like this for 8 s, from when a refresh is due. Its tokens live for 24 s,
/// and both refresh at half of that.
async fn outage(name: &'static str, status: u16) -> Tally {
    let vendor = Vendor::new(24, Duration::from_millis(50));
    let (life, half) = (Duration::from_secs(24), Duration::from_secs(12));
    let cache = Cache::ahead(name, &vendor, life, half);
    cache.ask(&vendor).await.unwrap();
    sleep(half - Duration::from_millis(200)).await;
    vendor.answer(status);
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
                "Ten lives of 4 s, vendor at 300 ms",
                both(|name| Box::pin(lives(name, 4, 300, 10.0, SOME))),
            ),
            (
                "The vendor answers 500 for 8 s while the token lives, 200 callers",
                both(|name| Box::pin(outage(name, 500))),
            ),
            (
                "The vendor answers 400 for 8 s while the token lives, 200 callers",
                both(|name| Box::pin(outage(name, 400))),
            ),
            (
                "Tokens that live for 60 s, vendor at 50 ms",
                both(|name| Box::pin(lives(name, 60, 50, 1.5, SOME))),
            ),
            (
                "Tokens that live for 5 s, vendor at 50 ms",
                both(|name| Box::pin(lives(name, 5, 50, 10.0, SOME))),
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
