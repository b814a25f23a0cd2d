//! The mapping from each fault F1 to F120 to its test, checked for completeness.

use std::collections::BTreeSet;
use std::fs;

use super::rows;
use super::table::{FAULTS, UNUSUAL_RESPONSES};

/// The proof of a fault other than the rows with its number.
#[derive(Clone, Copy, Debug)]
enum Proof {
    /// A fault that is tested for every vendor.
    Fault(&'static str),
    /// An unusual response with a good token.
    UnusualResponse(&'static str),
    /// A test and its file.
    Test(&'static str, &'static str),
    /// The reason why the fault is not tested.
    NotYet(&'static str),
}

use Proof::{Fault, NotYet, Test, UnusualResponse};

const HTTP: &str = "crates/gatepass-http/tests/it/faults.rs";
const TLS: &str = "crates/gatepass-http/tests/it/tls.rs";
const TOKEN_RESPONSE: &str = "crates/gatepass-core/tests/token_response.rs";
const EXPIRY: &str = "crates/gatepass-engine/tests/source/expiry.rs";
const DAMAGE: &str = "crates/gatepass-engine/tests/store/damage.rs";

/// The proofs other than rows.
#[rustfmt::skip]
const PROOFS: &[(&str, Proof)] = &[
    ("F8", Fault("statusCode 401 in a 200")),
    ("F14", Fault("400 invalid_client")),
    ("F18", Fault("Huawei's documented rejection")),
    ("F29", Test(TOKEN_RESPONSE, "retry_after_accepts_every_form")),
    ("F34", Test("tests/it/faults/attempts.rs", "lasting_outage_is_tried_until_the_deadline")),
    ("F41", Test("crates/gatepass-engine/tests/source/refresh.rs", "tokens_with_short_lifetime_need_no_waits")),
    ("F47", Test(TOKEN_RESPONSE, "jwt_expiry_only_shortens_lifetime")),
    ("F63", Test("tests/it/faults/machine.rs", "narrower_scope_warns_or_fails")),
    ("F65", Test("crates/gatepass-engine/tests/source/refresh.rs", "detected_reused_token_is_not_refreshed_again")),
    ("F67", UnusualResponse("a trailing comma")),
    ("F77", Test(HTTP, "f77_endless_body_is_cut")),
    ("F85", Test("tests/it/faults/redirects.rs", "redirect_does_not_reach_another_server")),
    ("F88", Test("tests/it/faults/redirects.rs", "refresh_header_is_ignored")),
    ("F89", Test(HTTP, "f89_f90_unresolved_host_name_is_reported")),
    ("F90", Test(HTTP, "f89_f90_unresolved_host_name_is_reported")),
    ("F91", NotYet("resolved addresses are not checked: there is no deny_private")),
    ("F92", Test(HTTP, "f92_closed_port_refuses_connection")),
    ("F93", Test("tests/it/faults/machine.rs", "unresponsive_server_times_out")),
    ("F97", Test("tests/it/faults/each_byte.rs", "reset_response_is_unavailable")),
    ("F98", Test("tests/it/faults/each_byte.rs", "reset_request_is_unavailable")),
    ("F99", Test(HTTP, "f94_missing_response_times_out")),
    ("F100", Test(HTTP, "f100_closed_idle_connection_is_replaced")),
    ("F101", Test(TLS, "http_2_is_not_offered")),
    ("F103", Test(HTTP, "f103_early_response_is_accepted_or_retryable")),
    ("F104", Test(HTTP, "f104_second_response_is_not_used")),
    ("F105", Test(TLS, "f105_invalid_certificate_is_explained")),
    ("F110", NotYet("certificate pinning is not supported")),
    ("F111", Test(EXPIRY, "next_hit_notices_a_wall_clock_jump")),
    ("F112", Test(EXPIRY, "setting_wall_clock_does_not_hide_a_suspend")),
    ("F113", Test("crates/gatepass-core/src/token/packed_times.rs", "times_keep_nanoseconds")),
    ("F114", Test("crates/gatepass-engine/tests/store/processes.rs", "full_disk_leaves_the_old_token")),
    ("F114", Test("crates/gatepass-engine/tests/source/store.rs", "failing_store_costs_no_token")),
    ("F115", Test(DAMAGE, "cut_or_extended_record_is_a_miss")),
    ("F115", Test(DAMAGE, "link_pipe_or_directory_is_left_alone")),
    ("F116", Test("tests/it/faults/machine.rs", "exhausted_file_descriptors_are_an_error")),
    ("F117", NotYet("supported systems have entropy from the first system call")),
    ("F118", Test("crates/gatepass-engine/tests/source/flights.rs", "dropped_caller_does_not_end_the_flight")),
    ("F119", NotYet("the workspace has no Redis store")),
    ("F120", Test("tests/it/login/faults.rs", "redirect_faults_have_exit_code_and_sentence")),
    ("F120", Test("tests/it/login/attacks.rs", "response_counts_once_for_its_own_login")),
    ("F120", Test("tests/it/login/endings.rs", "port_in_use_error_names_the_alternative")),
    ("F120", Test("tests/it/login/opener.rs", "printed_address_works_without_a_browser")),
];

#[test]
fn each_fault_has_a_row_test_or_reason() {
    let expected: BTreeSet<String> =
        (1..=120).map(|n| format!("F{n}")).chain(["F16a".into(), "F20a".into()]).collect();
    let rows = rows::all().into_iter().map(|row| row.id);
    let proved: BTreeSet<String> =
        rows.chain(PROOFS.iter().map(|(id, _)| *id)).map(str::to_owned).collect();
    let differ: Vec<&String> = expected.symmetric_difference(&proved).collect();
    assert!(differ.is_empty(), "missing or unknown fault numbers: {differ:?}");
}

#[test]
fn every_proof_exists() {
    for (id, proof) in PROOFS {
        let exists = match proof {
            Fault(name) => FAULTS.iter().any(|fault| fault.name == *name),
            UnusualResponse(name) => UNUSUAL_RESPONSES.iter().any(|unusual| unusual.name == *name),
            Test(file, name) => {
                let text = fs::read_to_string(gatepass_tests::workspace().join(file));
                text.is_ok_and(|text| text.contains(&format!("fn {name}(")))
            }
            NotYet(reason) => !reason.is_empty() && !rows::all().iter().any(|row| row.id == *id),
        };
        assert!(exists, "{id}: {proof:?}");
    }
}

#[test]
fn fault_rows_have_distinct_messages() {
    let descriptions: BTreeSet<&str> = rows::all().into_iter().map(|row| row.description).collect();
    assert_eq!(descriptions.len(), rows::all().len());
}
