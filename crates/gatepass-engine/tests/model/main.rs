//! The engine against an oracle: every property, with random clocks, vendors and callers.
//!
//! Each property is checked with a fixed seed, with which every mutant in `tests/mutants` is
//! found, and with a random one. `PROPTEST_CASES` sets the number of cases; a failure shows its
//! seed.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a violated property and a failed assumption fail the test"
)]

mod checks;
mod operation;
mod oracle;
mod property;
mod suite;
mod vendor;
mod world;

use crate::property::Property;
use crate::suite::{check, check_repeatable};

#[test]
fn all_properties_hold_together() {
    check(None);
}

macro_rules! properties {
    ($($name:ident: $property:ident,)*) => {
        $(#[test]
        fn $name() {
            check(Some(Property::$property));
        })*
    };
}

properties! {
    i1_source_has_at_most_one_exchange: I1,
    i2_returned_token_is_usable_as_long_as_required: I2,
    i3_first_poll_returns_a_usable_cached_token: I3,
    i4_dropped_caller_ends_no_exchange: I4,
    i5_all_callers_get_the_error_of_a_panic: I5,
    i6_cooldown_depends_on_the_class_of_the_failure: I6,
    i7_waiting_caller_gets_the_outcome_of_its_flight: I7,
    i8_no_caller_waits_forever: I8,
    i9_all_callers_get_the_same_failure: I9,
    i10_source_returns_only_its_own_tokens: I10,
    i11_invalidation_removes_exactly_one_token: I11,
    i12_no_earlier_token_follows_a_later_one: I12,
    i13_setting_a_clock_revives_no_token: I13,
    i14_changed_secret_replaces_the_old_one_at_once: I14,
    i18_fresh_token_causes_no_exchange: I18,
    i19_closing_ends_exchange_and_callers: I19,
}

#[test]
fn i20_same_seed_gives_the_same_events() {
    check_repeatable();
}
