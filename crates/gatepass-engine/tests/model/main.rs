//! The engine against an oracle: every promise, under any clocks, vendors and callers.
//!
//! `PROPTEST_CASES` makes more cases of each; a failure says its seed.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken promise and a failed assumption fail the test"
)]

mod checks;
mod operation;
mod oracle;
mod property;
mod suite;
mod vendor;
mod world;

use crate::property::Property;
use crate::suite::{is_repeatable, keeps};

#[test]
fn all_promises_hold_together() {
    keeps(None);
}

macro_rules! promises {
    ($($name:ident: $property:ident,)*) => {
        $(#[test]
        fn $name() {
            keeps(Some(Property::$property));
        })*
    };
}

promises! {
    i1_a_source_has_one_exchange_under_way_at_most: I1,
    i2_what_is_handed_out_is_usable_for_as_long_as_was_asked: I2,
    i3_whoever_asks_while_a_usable_token_is_held_has_it_at_the_first_poll: I3,
    i4_a_dropped_waiter_ends_no_exchange: I4,
    i5_a_panic_is_told_to_all_at_once_and_the_source_goes_on: I5,
    i6_a_failure_rests_as_long_as_its_class_wants_and_no_longer: I6,
    i7_who_waits_when_a_flight_lands_is_answered_by_it: I7,
    i8_nobody_waits_for_nothing_and_nobody_for_ever: I8,
    i9_a_failure_is_everybodys_and_answers_while_it_rests: I9,
    i10_no_source_hands_out_anothers_token: I10,
    i11_an_invalidated_token_is_gone_for_good_and_no_other_with_it: I11,
    i12_no_earlier_token_follows_a_later_one: I12,
    i13_no_clock_that_is_set_brings_a_dead_token_out: I13,
    i14_a_changed_secret_is_used_at_once_and_the_old_one_never_again: I14,
    i18_a_fresh_token_is_no_reason_for_an_exchange: I18,
    i19_a_closed_source_tells_all_and_ends_everything: I19,
}

#[test]
fn i20_the_same_seed_gives_the_same_course_of_events() {
    is_repeatable();
}
