//! Tests of the prompts of `init` and `profile` at a terminal.

use std::fs;

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Home, Reply, Server, Terminal};
use rustix::process::{Pid, Signal, kill_process};

use super::{CONFIG, assert_only_in, cisco, files};

#[test]
fn init_prompts_for_fields_and_hides_the_secret() {
    let (server, secret, home) = (cisco(), canary("secret"), Home::new());
    let base_url = format!("base_url={}", server.url());
    let args = ["init", "--secrets", "file", "--field", &base_url];
    let mut terminal = home.gatepass(args).at_terminal();
    terminal.wait_for("vendor: ");
    terminal.line("cizco");
    terminal.wait_for("did you mean `cisco`?");
    terminal.line("cisco");
    // `base_url` does not replace it.
    terminal.wait_for("environment: ");
    terminal.line("id");
    terminal.wait_for("client_id: the key of your application");
    terminal.line("abc");
    terminal.wait_for("grant [client_credentials]: ");
    terminal.line("nonsense");
    terminal.wait_for("invalid value: use one of: client_credentials, implicit");
    terminal.line("");
    terminal.wait_for("the input is hidden");
    terminal.wait_until_hidden();
    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", terminal.id())).unwrap();
    terminal.line(secret.text());
    let (code, screen) = terminal.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("the vendor issued a token, valid for"), "{screen}");
    assert!(!screen.contains("client_auth"), "asked for what it may do without: {screen}");
    for text in [&screen, &arguments] {
        assert_eq!(find_leak(text, std::slice::from_ref(&secret)), None);
    }
    assert_only_in(&home, &secret, &["cisco.client_secret"]);
    let form = server.request().form();
    assert!(form.contains(&("client_secret".into(), secret.text().into())), "{form:?}");
}

#[test]
fn prompts_fit_the_terminal() {
    let home = Home::new();
    let mut terminal = home.gatepass(["init"]).env("NO_COLOR", "1").at_terminal_of(40);
    terminal.wait_for("vendor: ");
    terminal.line("cisco");
    terminal.wait_for("environment: ");
    terminal.line("id");
    let screen = terminal.wait_for("client_id: ");
    for line in screen.lines() {
        assert!(line.chars().count() <= 40, "{line}");
    }
    // The rest of a long line is indented.
    assert!(screen.contains("2023\r\n") && screen.contains("\r\n    "), "{screen}");
    terminal.interrupt();
    terminal.finish();
}

#[test]
fn init_of_a_login_asks_for_no_secret() {
    let home = Home::new();
    let mut terminal = home.gatepass(["init", "cisco"]).at_terminal();
    terminal.wait_for("  id           id.cisco.com: applications registered since March 2023");
    terminal
        .wait_for("  cloudsso     cloudsso.cisco.com: older applications, and the implicit grant");
    // There is no default.
    terminal.wait_for("environment: ");
    terminal.line("");
    terminal.wait_for("invalid value: use one of: id, cloudsso");
    terminal.line("cloudsso");
    terminal.wait_for("client_id: the key");
    terminal.line("abc");
    terminal.wait_for("grant [client_credentials]: ");
    terminal.line("implicit");
    terminal.wait_for("redirect_uri: ");
    terminal.line("no address");
    terminal.wait_for("invalid value");
    terminal.line("http://localhost:0/back");
    let (code, screen) = terminal.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("log in with: gatepass login cisco"), "{screen}");
    assert!(!screen.contains("client_secret"), "{screen}");
    let config = fs::read_to_string(home.path(CONFIG)).unwrap();
    let environment = "# cloudsso.cisco.com: older applications, and the implicit grant\n\
                       environment = \"cloudsso\"\n";
    assert!(config.contains(environment), "{config}");
}

#[test]
fn init_all_asks_for_optional_fields() {
    let home = Home::new();
    let args = ["init", "celerdata", "--all", "--no-test", "--secrets", "file"];
    let mut terminal = home.gatepass(args).at_terminal();
    for (question, reply) in [
        ("base_url [none]: ", ""),
        ("client_id: the id", "abc"),
        ("the input is hidden", "secret"),
        ("basic_encoding [raw]: ", "form"),
        ("grant_type_in [query]: ", ""),
        ("scope [none]: ", ""),
    ] {
        terminal.wait_for(question);
        if question.starts_with("what") {
            terminal.wait_until_hidden();
        }
        terminal.line(reply);
    }
    assert_eq!(terminal.finish().0, Some(0));
    let config = fs::read_to_string(home.path(CONFIG)).unwrap();
    assert!(
        config.contains("basic_encoding = \"form\"\n") && !config.contains("scope"),
        "{config}"
    );
}

#[test]
fn ctrl_c_during_init_leaves_no_files() {
    type Step = fn(&mut Terminal<'_>);
    let steps: [Step; 4] = [
        |terminal| drop(terminal.wait_for("vendor: ")),
        |terminal| {
            terminal.line("celerdata");
            terminal.wait_for("client_id: the id");
        },
        |terminal| {
            terminal.line("abc");
            terminal.wait_for("client_secret: ");
            terminal.wait_until_hidden();
        },
        |terminal| terminal.keys("half of it"),
    ];
    for count in 1..=steps.len() {
        let home = Home::new();
        fs::remove_dir(home.path("config/gatepass")).unwrap();
        let gatepass = gatepass_tests::gatepass_binary().to_str().unwrap().to_owned();
        // The shell survives the command and prints the terminal's settings.
        let script =
            format!("trap : INT; {gatepass} init --secrets file; echo \"exit $?\"; stty -a");
        let mut terminal = home.program("/bin/sh".as_ref(), ["-c", &script]).at_terminal();
        for step in &steps[..count] {
            step(&mut terminal);
        }
        terminal.interrupt();
        let (_, screen) = terminal.finish();
        assert!(screen.contains("exit 130"), "{count}: {screen}");
        assert!(screen.contains(" echo ") && screen.contains(" icanon "), "{count}: {screen}");
        assert!(!screen.contains("half of it"), "{count}: {screen}");
        assert!(!home.path("config/gatepass").exists(), "{count}");
        assert!(files(&home, "tmp").is_empty() && files(&home, "state").is_empty(), "{count}");
    }
}

#[test]
fn failed_test_asks_whether_to_keep_the_profile() {
    type Reaction = fn(&mut Terminal<'_>);
    let replies: [(Reaction, i32, bool); 4] = [
        (|terminal| terminal.line(""), 3, true),
        (|terminal| terminal.line("n"), 3, false),
        (|terminal| terminal.interrupt(), 130, false),
        (
            |terminal| {
                let id = i32::try_from(terminal.id()).unwrap();
                kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
            },
            130,
            false,
        ),
    ];
    for (reply, code, is_kept) in replies {
        let server = Server::new(|_, _| Reply::json(401, "{\"error\":\"invalid_client\"}"));
        let before = "# mine\n";
        let home = Home::with_config(before);
        let base_url = format!("base_url={}", server.url());
        let args = ["init", "celerdata", "--secrets=file", "--field=client_id=abc"];
        let args = args.into_iter().chain(["--field", &base_url]);
        let mut terminal = home.gatepass(args).at_terminal();
        terminal.wait_for("client_secret: ");
        terminal.wait_until_hidden();
        terminal.line("secret");
        terminal.wait_for("Keep the profile? [Y/n] ");
        reply(&mut terminal);
        let (exit_code, screen) = terminal.finish();
        assert_eq!(exit_code, Some(code), "{screen}");
        let after = fs::read_to_string(home.path(CONFIG)).unwrap();
        assert_eq!(after != before, is_kept, "{after}");
        let secret = home.path("config/gatepass/celerdata.client_secret");
        assert_eq!(secret.exists(), is_kept);
    }
}

#[test]
fn replacing_a_profile_asks_first() {
    for (reply, code) in [("", 2), ("y", 0)] {
        let home = Home::with_config("[profiles.lab]\nprovider = \"celerdata\"\n");
        let args = ["init", "celerdata", "--name=lab", "--no-test", "--secrets=file"];
        let args = args.into_iter().chain(["--field=client_id=abc"]);
        let mut terminal = home.gatepass(args).at_terminal();
        terminal.wait_for("Replace it? [y/N] ");
        terminal.line(reply);
        if code == 0 {
            terminal.wait_for("client_secret: ");
            terminal.wait_until_hidden();
            terminal.line("secret");
        }
        assert_eq!(terminal.finish().0, Some(code));
        let after = fs::read_to_string(home.path(CONFIG)).unwrap();
        assert_eq!(after.contains("abc"), code == 0, "{after}");
    }
}
