//! The pool's timer: refreshes are spread, and idle tokens are not refreshed (I18).

use std::time::Duration;

use gatepass_testkit::TestClock;
use tokio::runtime::Handle;

use crate::vendor::Vendor;
use crate::{HOUR, builder, fill, pass, pool, settle};

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn hundred_thousand_identities_share_one_task_and_spread_refreshes() {
    const KEYS: usize = 100_000;
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = builder(&vendor, &clock).max_exchanges(32).idle(2 * HOUR).build();
    assert_eq!(tasks(), 0, "building a pool starts nothing");
    fill(&pool, KEYS).await;
    settle().await;
    assert_eq!((pool.len(), tasks()), (KEYS, 1));

    vendor.set_delay(Duration::from_millis(1));
    let step = Duration::from_secs(10);
    let mut most = 0;
    for _ in 0..340 {
        let before = vendor.total();
        pass(&clock, step).await;
        // Only the runtime's time advances, so that the timer does all that is due.
        tokio::time::sleep(Duration::from_secs(4)).await;
        most = most.max(vendor.total() - before);
    }
    let times = &vendor.times()[KEYS..];
    assert_eq!((times.len(), pool.len()), (KEYS, KEYS));
    let spread = (*times.last().unwrap() - times[0]).as_secs_f64() / 3600.0;
    assert!(spread >= 0.2, "{spread}");
    assert!(most < KEYS / 40, "{most} of them within ten seconds");
    assert!(vendor.in_flight_max() <= 24, "{} at once", vendor.in_flight_max());
    assert_eq!(tasks(), 1);
    drop(pool);
    settle().await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn refreshes_leave_permits_for_waiting_callers() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = builder(&vendor, &clock).max_exchanges(8).build();
    fill(&pool, 1000).await;
    vendor.hold(true);
    pass(&clock, Duration::from_secs(3300)).await;
    assert_eq!(vendor.in_flight(), 6);
    let callers = crate::request(&pool, "new", 1);
    settle().await;
    assert_eq!(vendor.in_flight(), 7);
    vendor.hold(false);
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    // The other refreshes follow as permits are released.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((vendor.total(), vendor.in_flight_max()), (2001, 7));
}

#[tokio::test(start_paused = true)]
async fn timer_ends_with_the_last_token() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = builder(&vendor, &clock).idle(HOUR / 60).build();
    pool.token("a").await.unwrap();
    assert_eq!(tasks(), 1);
    for _ in 0..4 {
        pass(&clock, Duration::from_secs(30)).await;
    }
    assert_eq!((pool.len(), tasks()), (0, 0));
    pool.token("a").await.unwrap();
    settle().await;
    assert_eq!((pool.len(), tasks()), (1, 1));
    pool.close().await;
    settle().await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn used_token_is_refreshed_and_unused_is_not() {
    for lifetime in [5, 60, 3600] {
        let clock = TestClock::new();
        let vendor = Vendor::new(lifetime, &clock);
        let pool = builder(&vendor, &clock).idle(Duration::from_secs(lifetime * 3)).build();
        pool.token("used").await.unwrap();
        pool.token("unused").await.unwrap();
        let step = Duration::from_secs(lifetime) / 40;
        for _ in 0..400 {
            assert!(pool.peek("used").is_some(), "a caller would wait");
            pool.token("used").await.unwrap();
            pass(&clock, step).await;
        }
        assert!((11..=17).contains(&vendor.count("used")), "{}", vendor.count("used"));
        assert!((3..=5).contains(&vendor.count("unused")), "{}", vendor.count("unused"));
        assert_eq!(pool.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn token_expired_by_either_clock_is_not_returned() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    type Change = fn(&TestClock);
    let changes: [Change; 5] = [
        |clock| clock.suspend(HOUR),
        |clock| clock.jump_wall(3600),
        |clock| clock.jump_wall(10 * 365 * 86_400),
        |clock| {
            clock.jump_wall(-10 * 365 * 86_400);
            clock.advance(HOUR);
        },
        |clock| clock.advance_boot_only(HOUR),
    ];
    for (number, change) in changes.iter().enumerate() {
        let pool = pool(&vendor, &clock);
        let key = format!("key-{number}");
        let first = pool.token(&key).await.unwrap();
        change(&clock);
        assert!(pool.peek(&key).is_none(), "{number}");
        assert!(!pool.token(&key).await.unwrap().is_same_as(&first), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn suspend_or_clock_step_is_noticed_within_30_seconds() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    fill(&pool, 500).await;
    settle().await;
    // Every token is aging now, without a caller, and the runtime's clock has not moved.
    clock.jump_wall(3100);
    assert_eq!(vendor.total(), 500);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(vendor.total(), 1000);
    clock.suspend(Duration::from_secs(3100));
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!((vendor.total(), pool.len()), (1500, 500));
}

#[tokio::test(start_paused = true)]
async fn reading_an_aging_token_wakes_the_timer() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    pool.token("a").await.unwrap();
    settle().await;
    clock.jump_wall(3100);
    assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.1");
    settle().await;
    assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.2");
}
