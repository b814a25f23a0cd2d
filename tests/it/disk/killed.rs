//! Tests of eight parallel commands on one state folder, killed at random.

use std::fs::{self, File};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use gatepass::store::{FileStore, ProfileKey, Record, TokenStore};
use gatepass_testkit::block_on;
use gatepass_tests::vendor;

use super::{assert_private, ending, files};

const WORKERS: u64 = 8;
const ROUNDS: u64 = 10;

/// A deterministic sequence of pseudorandom numbers.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

#[test]
fn killed_commands_keep_the_newest_token() {
    let (server, home) = vendor("cisco").counting("");
    // The newest token that a command has printed; it was stored before.
    let newest = AtomicUsize::new(0);
    let (killed, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = |worker: u64| {
        let mut chance = Chance(worker);
        for round in 0..ROUNDS {
            let before = newest.load(Ordering::SeqCst);
            let begun = Instant::now();
            let fresh = if chance.next(2) == 0 { ["--fresh"].as_slice() } else { &[] };
            let words = ["token", "cisco"].into_iter().chain(fresh.iter().copied());
            let running = home.gatepass(words).spawn();
            if round + 1 < ROUNDS && chance.next(3) > 0 {
                // A command takes about 10 ms, or a multiple while it waits for others.
                thread::sleep(Duration::from_micros(chance.next(40_000)));
                drop(running);
                killed.fetch_add(1, Ordering::SeqCst);
            } else {
                let run = running.finish();
                let token = run.ok().trim_end().strip_prefix("token-").unwrap().parse().unwrap();
                assert_eq!(run.stderr, "", "{run:#?}");
                assert!(token >= before, "token {token} after token {before}");
                newest.fetch_max(token, Ordering::SeqCst);
                ended.fetch_add(1, Ordering::SeqCst);
                // No command waits for a killed process.
                assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
            }
            assert_private(&home);
        }
    };
    thread::scope(|scope| {
        let work = &work;
        (0..WORKERS).for_each(|worker| drop(scope.spawn(move || work(worker))));
    });
    let (killed, ended) = (killed.into_inner(), ended.into_inner());
    assert!(killed > 20 && ended > 10, "{killed} killed, {ended} ended");

    // The folder has one intact record, which is not older than the token printed last.
    let newest = newest.into_inner();
    let records = block_on(async {
        let store = FileStore::open(home.path("state")).unwrap();
        store.records(&ProfileKey::new("cisco")).await.unwrap()
    });
    assert_eq!((records.len(), ending(&home, ".token").len()), (1, 1));
    let Record::Token(token) = &records[0] else { panic!("{records:?}") };
    let kept: usize = token.expose_secret().strip_prefix("token-").unwrap().parse().unwrap();
    assert!(kept >= newest && kept <= server.requests().len(), "{kept}, {newest}");

    // Leftovers of killed processes are removed by a token request once they are an hour old.
    File::create(home.path("state/.tmp-0123456789abcdef")).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 3600);
    for path in files(&home) {
        if path.file_name().unwrap().to_str().unwrap().starts_with(".tmp-") {
            File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        }
    }
    fs::write(home.path("state/mine"), "not gatepass's").unwrap();
    home.gatepass(["token", "cisco", "--fresh"]).run().ok();
    let left: Vec<_> = files(&home);
    let is_left = |path: &&std::path::PathBuf| path.to_str().unwrap().contains("/.tmp-");
    assert_eq!(left.iter().filter(is_left).count(), 0, "{left:?}");
    assert!(home.path("state/mine").exists());
}
