//! One timer for all: refreshes that spread, and none for what nobody wants (I18).

use std::time::Duration;

use gatepass_testkit::TestClock;
use tokio::runtime::Handle;

use crate::vendor::Vendor;
use crate::{HOUR, builder, fill, pass, pool, settle};

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_identities_have_one_task_and_do_not_refresh_together() {
    const KEYS: usize = 100_000;
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = builder(&vendor, &clock).max_exchanges(32).idle(2 * HOUR).build();
    assert_eq!(tasks(), 0, "building a pool starts nothing");
    fill(&pool, KEYS).await;
    settle().await;
    assert_eq!((pool.len(), tasks()), (KEYS, 1));

    vendor.takes(Duration::from_millis(1));
    let step = Duration::from_secs(10);
    let mut most = 0;
    for _ in 0..340 {
        let before = vendor.total();
        pass(&clock, step).await;
        // The runtime's time goes on while the pool's stands still: whatever is due is done.
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
async fn refreshes_leave_places_for_those_who_wait() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = builder(&vendor, &clock).max_exchanges(8).build();
    fill(&pool, 1000).await;
    vendor.hold(true);
    pass(&clock, Duration::from_secs(3300)).await;
    assert_eq!(vendor.in_flight(), 6);
    let callers = crate::ask(&pool, "new", 1);
    settle().await;
    assert_eq!(vendor.in_flight(), 7);
    vendor.hold(false);
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    // The others follow at once, as places come free.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((vendor.total(), vendor.in_flight_max()), (2001, 7));
}

#[tokio::test(start_paused = true)]
async fn the_timer_ends_with_the_last_token() {
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
async fn a_used_token_is_refreshed_before_its_end_and_an_unused_one_is_not() {
    for life in [5, 60, 3600] {
        let clock = TestClock::new();
        let vendor = Vendor::new(life, &clock);
        let pool = builder(&vendor, &clock).idle(Duration::from_secs(life * 3)).build();
        pool.token("used").await.unwrap();
        pool.token("unused").await.unwrap();
        let step = Duration::from_secs(life) / 40;
        for _ in 0..400 {
            assert!(pool.peek("used").is_some(), "somebody would wait");
            pool.token("used").await.unwrap();
            pass(&clock, step).await;
        }
        assert!((11..=17).contains(&vendor.count("used")), "{}", vendor.count("used"));
        assert!((3..=5).contains(&vendor.count("unused")), "{}", vendor.count("unused"));
        assert_eq!(pool.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn no_token_is_handed_out_after_its_end_on_either_clock() {
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
async fn a_suspend_or_a_step_of_the_wall_clock_is_noticed_within_half_a_minute() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    fill(&pool, 500).await;
    settle().await;
    // To where every token is aging; nobody asks, and the runtime's own clock stands still.
    clock.jump_wall(3100);
    assert_eq!(vendor.total(), 500);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(vendor.total(), 1000);
    clock.suspend(Duration::from_secs(3100));
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!((vendor.total(), pool.len()), (1500, 500));
}

#[tokio::test(start_paused = true)]
async fn an_aging_token_that_is_asked_for_wakes_the_timer() {
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
