//! Tests of `gatepass login --paste`: the pasted address is not echoed.

use gatepass_testkit::{Canary, find_leak};
use gatepass_tests::Terminal;

use super::client::{approve, deny};
use super::{Stage, is_closed, parameter, port_of};

/// Waits for the prompt and returns the address to open.
fn prompted_url(terminal: &mut Terminal<'_>) -> String {
    let screen = terminal.wait_for("address: ");
    terminal.wait_until_hidden();
    // The terminal wraps long lines only on screen.
    screen.lines().find(|line| line.contains("response_type=")).unwrap().trim().to_owned()
}

#[test]
fn pasted_address_logs_in_and_is_hidden() {
    let stage = Stage::new();
    for ending in ["", " ", "&more=words"] {
        stage.home.forget_all();
        let mut terminal = stage.home.gatepass(["login", "cisco", "--paste"]).at_terminal();
        let url = prompted_url(&mut terminal);
        let response = approve(&url);
        // No server listens at the redirect URI.
        assert!(is_closed(port_of(&response)));
        terminal.line(&format!("{response}{ending}"));
        let (code, screen) = terminal.finish();
        assert_eq!(code, Some(0), "{screen}");
        let token = parameter(&response, "access_token");
        assert_eq!(find_leak(&screen, &[Canary::new("token", &token)]), None, "{screen}");
        assert!(!screen.contains("more=words") && !screen.contains("token_type="), "{screen}");
        assert_eq!(stage.token().ok().trim_end(), token);
    }
}

#[test]
fn logins_at_the_same_time_all_succeed() {
    let stage = Stage::new();
    for _ in 0..3 {
        let mut logins: Vec<_> = (0..4)
            .map(|_| stage.home.gatepass(["login", "cisco", "--paste"]).at_terminal())
            .collect();
        let responses: Vec<String> =
            logins.iter_mut().map(|terminal| approve(&prompted_url(terminal))).collect();
        for (terminal, response) in logins.iter_mut().zip(&responses) {
            terminal.line(response);
        }
        for terminal in logins {
            let (code, screen) = terminal.finish();
            assert_eq!(code, Some(0), "{screen}");
        }
        let run = stage.token();
        let stored = run.ok();
        let is_stored =
            |response: &&String| parameter(response, "access_token") == stored.trim_end();
        assert_eq!(responses.iter().filter(is_stored).count(), 1, "{stored}");
    }
}

#[test]
fn address_is_read_from_a_pipe() {
    let stage = Stage::new();
    let run = stage.home.gatepass(["login", "cisco", "--paste"]).stdin("\n").run();
    assert!(run.failed(2).contains("the input is empty"), "{run:#?}");
    let run = stage.home.gatepass(["login", "cisco", "--paste"]).run();
    assert!(run.failed(2).contains("the input is empty"), "{run:#?}");
}

#[test]
fn wrong_pasted_address_is_explained() {
    let stage = Stage::new();
    let earlier = {
        let mut terminal = stage.home.gatepass(["login", "cisco", "--paste"]).at_terminal();
        let response = approve(&prompted_url(&mut terminal));
        terminal.interrupt();
        response
    };
    let token = Canary::new("token", &parameter(&earlier, "access_token"));
    type Wrong<'a> = &'a dyn Fn(&str) -> String;
    let (_, fragment) = earlier.split_once('#').unwrap();
    let rows: [(Wrong<'_>, i32, &str); 8] = [
        (&|_| earlier.clone(), 6, "not the login's redirect_uri"),
        (&|url| format!("{}#{fragment}", parameter(url, "redirect_uri")), 6, "another login"),
        (&|_| format!("https://evil.example/#{fragment}"), 6, "not the login's redirect_uri"),
        (&str::to_owned, 6, "not the login's redirect_uri"),
        (&|url| parameter(url, "redirect_uri"), 6, "no response"),
        (&|_| String::from("yes"), 6, "no response"),
        (&|_| token.text().to_owned(), 6, "no response"),
        (&|url| parameter(url, "redirect_uri") + "#access_token=abc&token_type=Bearer", 6, "state"),
    ];
    for (wrong, code, sentence) in rows {
        let mut terminal = stage.home.gatepass(["login", "cisco", "--paste"]).at_terminal();
        let url = prompted_url(&mut terminal);
        terminal.line(&wrong(&url));
        let (exit_code, screen) = terminal.finish();
        assert_eq!(exit_code, Some(code), "{screen}");
        assert!(screen.contains(sentence), "{sentence}: {screen}");
        assert_eq!(find_leak(&screen, std::slice::from_ref(&token)), None, "{screen}");
        stage.token().failed(4);
    }

    // A denial also ends at an address to paste.
    stage.vendors.sandbox.reset();
    let mut terminal = stage.home.gatepass(["login", "cisco", "--paste"]).at_terminal();
    let url = prompted_url(&mut terminal);
    terminal.line(&deny(&url));
    let (code, screen) = terminal.finish();
    assert!(code == Some(3) && screen.contains("denied"), "{screen}");
}

#[test]
fn signals_restore_the_terminal() {
    let stage = Stage::new();
    let gatepass = gatepass_tests::gatepass_binary().to_str().unwrap();
    let script = "trap : INT QUIT; \"$0\" login cisco --paste; echo \"ended with $?\"; stty -a";
    for key in ["\x03", "\x1c"] {
        let mut terminal =
            stage.home.program("/bin/sh".as_ref(), ["-c", script, gatepass]).at_terminal();
        prompted_url(&mut terminal);
        terminal.keys("http://127.0.0.1:1/half-of-it");
        terminal.keys(key);
        let (_, screen) = terminal.finish();
        assert!(screen.contains("ended with 130"), "{screen}");
        assert!(screen.contains(" echo ") && screen.contains(" icanon "), "{screen}");
        assert!(!screen.contains("half-of-it"), "{screen}");
        stage.token().failed(4);
    }
}
