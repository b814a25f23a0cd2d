//! Tests of formats with shells.

use gatepass_tests::{Reply, Run};

use super::{HOSTILE, Setup};

#[test]
fn shells_export_token_and_expiry() {
    for (shell, script) in [
        ("sh", "eval \"$(gatepass token cisco --format sh)\""),
        ("bash", "eval \"$(gatepass token cisco --format sh)\""),
        ("fish", "gatepass token cisco --format fish | source"),
        // A file of assignments is also a script.
        ("sh", "set -a; gatepass token cisco --format dotenv >.env; . ./.env"),
    ] {
        let setup = setup();
        let script =
            format!("{script}; printenv GATEPASS_TOKEN; printenv GATEPASS_TOKEN_EXPIRES_AT");
        let run = setup.program(shell, ["-c", &script]).run();
        assert_token_and_expiry(&run, shell);
    }
}

#[test]
fn powershell_reads_single_quotes() {
    let setup = setup();
    let run = setup.program("gatepass", ["token", "cisco", "--format", "powershell"]).run();
    let quoted = HOSTILE.replace('\'', "''");
    let first = run.ok().lines().next().unwrap();
    assert_eq!(first, format!("$env:GATEPASS_TOKEN = '{quoted}'"));
}

#[test]
fn netrc_note_needs_no_token() {
    let setup = setup();
    let run = setup.program("gatepass", ["token", "cisco", "--format", "netrc-note"]).run();
    assert!(run.ok().contains("never as Bearer"), "{run:#?}");
    assert_eq!(setup.exchanges(), 0);
}

fn setup() -> Setup {
    Setup::hostile("cisco", |_| Reply::empty(404))
}

#[track_caller]
fn assert_token_and_expiry(run: &Run, shell: &str) {
    let (token, end) = run.ok().trim_end().split_once('\n').unwrap();
    assert_eq!((token, run.stderr.as_str()), (HOSTILE, ""), "{shell}");
    let remaining = end.parse::<jiff::Timestamp>().unwrap().duration_since(jiff::Timestamp::now());
    assert!((3_500..=3_600).contains(&remaining.as_secs()) && end.ends_with('Z'), "{shell}: {end}");
}
