//! Tests of eight parallel commands on one state folder, killed at random.

use std::fs::{self, File};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use gatepass::store::{FileStore, ProfileKey, Record, TokenStore};
use gatepass_testkit::block_on;
use gatepass_tests::vendor;

use super::{assert_private, files, files_with_suffix};

const WORKERS: u64 = 8;
const ROUNDS: u64 = 10;

/// A deterministic sequence of pseudorandom numbers.
struct Random(u64);

impl Random {
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
    let worker_loop = |worker: u64| {
        let mut random = Random(worker);
        for round in 0..ROUNDS {
            let before = newest.load(Ordering::SeqCst);
            let started = Instant::now();
            let fresh = if random.next(2) == 0 { ["--fresh"].as_slice() } else { &[] };
            let args = ["token", "cisco"].into_iter().chain(fresh.iter().copied());
            let running = home.gatepass(args).spawn();
            if round + 1 < ROUNDS && random.next(3) > 0 {
                // A command takes about 10 ms, or a multiple while it waits for others.
                thread::sleep(Duration::from_micros(random.next(40_000)));
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
                assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
            }
            assert_private(&home);
        }
    };
    thread::scope(|scope| {
        let worker_loop = &worker_loop;
        (0..WORKERS).for_each(|worker| drop(scope.spawn(move || worker_loop(worker))));
    });
    let (killed, ended) = (killed.into_inner(), ended.into_inner());
    assert!(killed > 20 && ended > 10, "{killed} killed, {ended} ended");

    // The folder has one intact record, which is not older than the token printed last.
    let newest = newest.into_inner();
    let records = block_on(async {
        let store = FileStore::open(home.path("state")).unwrap();
        store.records(&ProfileKey::new("cisco")).await.unwrap()
    });
    // The other record is that of the credential that worked.
    assert_eq!((records.len(), files_with_suffix(&home, ".token").len()), (1, 2));
    let Record::Token(token) = &records[0] else { panic!("{records:?}") };
    let stored_token: usize =
        token.expose_secret().strip_prefix("token-").unwrap().parse().unwrap();
    assert!(
        stored_token >= newest && stored_token <= server.requests().len(),
        "{stored_token}, {newest}"
    );

    // Leftovers of killed processes are removed by a token request once they are an hour old.
    File::create(home.path("state/.tmp-0123456789abcdef")).unwrap();
    let old = SystemTime::now() - Duration::from_secs(2 * 3600);
    for path in files(&home) {
        if path.file_name().unwrap().to_str().unwrap().starts_with(".tmp-") {
            File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        }
    }
    fs::write(home.path("state/mine"), "not gatepass's").unwrap();
    home.gatepass(["token", "cisco", "--fresh"]).run().ok();
    let remaining_files: Vec<_> = files(&home);
    let is_temporary = |path: &&std::path::PathBuf| path.to_str().unwrap().contains("/.tmp-");
    assert_eq!(remaining_files.iter().filter(is_temporary).count(), 0, "{remaining_files:?}");
    assert!(home.path("state/mine").exists());
}
