//! Wrong engines: each breaks the promise that is named, so no promise is kept by chance.

use gatepass_engine::wrong::{Wrong, with};
use proptest::test_runner::{Config, RngSeed};

use crate::property::Property;
use crate::suite::{repeats, run};

/// Cases enough for the rarest fault; the search ends with the first that shows it.
fn config() -> Config {
    Config {
        cases: 4000,
        failure_persistence: None,
        max_shrink_iters: 0,
        rng_seed: RngSeed::Fixed(1),
        ..Config::default()
    }
}

/// The engine with this fault breaks this promise.
fn breaks(wrong: Wrong, property: Property) {
    let broken = with(wrong, || run(Some(property), config())).unwrap_err();
    assert!(broken.contains(&format!("{property:?} is broken")), "{broken}");
}

macro_rules! wrong_engines {
    ($($name:ident: $wrong:ident breaks $property:ident,)*) => {
        $(#[test]
        fn $name() {
            breaks(Wrong::$wrong, Property::$property);
        })*
    };
}

wrong_engines! {
    if_nobody_joins_a_flight_there_are_two: NobodyJoins breaks I1,
    if_one_waiter_is_told_the_others_wait_for_nothing: OneIsTold breaks I8,
    if_the_leader_flies_dropping_it_ends_the_exchange: LeaderFlies breaks I4,
    a_life_from_receipt_is_too_long: LifeFromReceipt breaks I2,
    the_wall_clock_alone_brings_dead_tokens_out: WallClockOnly breaks I2,
    the_boot_clock_alone_does_not_see_the_wall_clock_set: BootClockOnly breaks I13,
    a_key_without_the_secret_does_not_see_it_change: KeyWithoutSecret breaks I14,
    a_secret_that_is_kept_is_used_after_its_change: SecretIsKept breaks I14,
    a_refused_secret_is_seen_when_it_is_sent_again: RefusedIsSentAgain breaks I6,
    an_unfenced_invalidation_brings_the_token_back: InvalidationUnfenced breaks I11,
    a_late_report_that_counts_takes_the_newer_token: LateReportCounts breaks I11,
    a_refresh_that_is_waited_for_is_no_hit: RefreshIsWaitedFor breaks I3,
    a_refresh_from_the_start_has_no_reason: RefreshesFresh breaks I18,
    a_failure_that_forgets_the_token_makes_callers_wait: FailureForgets breaks I3,
    a_forgotten_rest_is_no_answer_for_who_comes: RestForgotten breaks I9,
    a_forgotten_rest_asks_too_soon: RestForgotten breaks I6,
    a_vendors_word_that_is_ignored_is_seen: RetryAfterIgnored breaks I6,
    a_panic_that_poisons_is_told_to_nobody: PanicPoisons breaks I5,
    an_engine_that_goes_back_is_seen: GoesBack breaks I12,
    a_token_that_crosses_is_seen: Crosses breaks I10,
    a_flight_that_outlives_its_source_is_seen: CloseLetsFly breaks I19,
}

#[test]
fn an_ignored_seed_does_not_repeat() {
    let broken = with(Wrong::SeedIgnored, || repeats(config())).unwrap_err();
    assert!(broken.contains("I20 is broken"), "{broken}");
}
