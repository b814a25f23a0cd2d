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

#[test]
fn shells_read_an_unchanged_tilde() {
    for token in ["~", "~root", "~/x", "~+", "a~b", "a:~root", "-._~+/==", "!x", "#x", "$HOME`id`"]
    {
        let setup = Setup::with_tokens("cisco", move || String::from(token), |_| Reply::empty(404));
        for shell in ["sh", "bash"] {
            for script in [
                "gatepass token cisco --format dotenv >.env; . ./.env; printf %s \"$GATEPASS_TOKEN\"",
                "eval \"$(gatepass token cisco --format sh)\"; printf %s \"$GATEPASS_TOKEN\"",
            ] {
                assert_eq!(setup.program(shell, ["-c", script]).run().ok(), token, "{shell}");
            }
        }
    }
}

#[test]
fn failure_unsets_the_old_token_and_fails() {
    let setup = Setup::new("cisco", |_| Reply::empty(404));
    for failing in ["no-profile", "cisco --no-such-option", "cisco --min-ttl 30d"] {
        for (shell, script) in [
            ("sh", "eval \"$(gatepass token F --format sh 2>&-)\""),
            ("bash", "eval \"$(gatepass token F --format=sh)\""),
            ("sh", "eval \"$(gatepass token F --format env)\""),
            ("sh", "gatepass token F --format dotenv >.env; . ./.env"),
            ("fish", "gatepass token F --format fish | source"),
        ] {
            let script = script.replace('F', failing);
            let end = match shell {
                "fish" => "; echo $status; printenv GATEPASS_TOKEN GATEPASS_TOKEN_EXPIRES_AT",
                _ => "; echo $?; printenv GATEPASS_TOKEN GATEPASS_TOKEN_EXPIRES_AT",
            };
            let run = setup
                .program(shell, ["-c", &(script + end)])
                .env("GATEPASS_TOKEN", "an-old-token")
                .env("GATEPASS_TOKEN_EXPIRES_AT", "2020-01-01T00:00:00Z")
                .run();
            assert_eq!((run.stdout.as_str(), run.code), ("1\n", Some(1)), "{failing} {shell}");
        }
    }
    let powershell = ["token", "no-profile", "--format", "powershell"];
    let run = setup.program("gatepass", powershell).run();
    assert_eq!(run.code, Some(2));
    assert!(run.stdout.starts_with("Remove-Item Env:GATEPASS_TOKEN, "), "{run:#?}");
    // A program that reads the token alone gets nothing.
    assert_eq!(setup.program("gatepass", ["token", "no-profile"]).run().stdout, "");
}
