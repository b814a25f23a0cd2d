//! Tests of logins that end without a token, and of the end of a login's token.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use gatepass_sandbox::{Fault, Target};
use gatepass_tests::Home;

use super::client::{approve, deliver};
use super::{Login, Stage, is_closed, profiles};

#[test]
fn unfinished_login_times_out() {
    let stage = Stage::new();
    let login = stage.login(&["--wait", "1s"]);
    assert!(!is_closed(login.port()));
    let run = login.finish();
    let error = run.failed(6);
    for word in ["redirect_uri", "client_id", "implicit", "console"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    assert!(stage.token().failed(4).contains("gatepass login cisco"));
    // The default limit is five minutes.
    let run = stage.home.gatepass(["login", "cisco", "--wait", "6m"]).run();
    assert!(run.failed(2).contains("5m"), "{run:#?}");
}

#[test]
fn ctrl_c_closes_the_callback_port() {
    let stage = Stage::new();
    for interrupt in [true, false] {
        let login = stage.login(&[]);
        let (state, url) = (login.state(), login.url.clone());
        match interrupt {
            true => login.running.interrupt(),
            false => login.running.terminate(),
        }
        let before = Instant::now();
        let run = login.finish();
        assert!(before.elapsed() < Duration::from_secs(5));
        // By the signal, or with the shell's exit code for it.
        assert!(matches!(run.code, None | Some(130)) && run.stdout.is_empty(), "{run:#?}");
        assert!(!run.stderr.contains("internal error at"), "{run:#?}");
        stage.assert_files_clean(&[state]);
        // The response reaches no server.
        assert!(is_closed(super::port_of(&approve(&url))));
        stage.token().failed(4);
    }

    let mut terminal = stage.home.gatepass(["login", "cisco", "--no-browser"]).at_terminal();
    let screen = terminal.wait_for("left (Ctrl-C stops it)");
    let url = screen.lines().find(|line| line.contains("response_type=")).unwrap().trim();
    let port = super::port_of(&super::parameter(url, "redirect_uri"));
    assert!(!is_closed(port));
    terminal.interrupt();
    let (code, screen) = terminal.finish();
    assert!(matches!(code, None | Some(130)), "{screen}");
    assert!(is_closed(port));
}

#[test]
fn port_in_use_error_names_the_alternative() {
    let stage = Stage::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let redirect_uri = format!("redirect_uri = \"http://127.0.0.1:{port}/cb\"\n");
    stage.home.write("config/gatepass/config.toml", &profiles(&stage.vendors, &redirect_uri));
    let run = stage.home.gatepass(["login", "cisco", "--no-browser"]).run();
    let error = run.failed(1);
    assert!(error.contains(&port.to_string()) && error.contains("--paste"), "{error}");
    assert!(!error.contains("response_type="), "{error}");
    // `localhost` has two addresses, and a browser may use either.
    let redirect_uri = redirect_uri.replace("127.0.0.1", "localhost");
    stage.home.write("config/gatepass/config.toml", &profiles(&stage.vendors, &redirect_uri));
    let run = stage.home.gatepass(["login", "cisco", "--no-browser"]).run();
    assert!(run.failed(1).contains("--paste"), "{run:#?}");
}

#[test]
fn login_token_is_used_until_it_expires() {
    let stage = Stage::new();
    let run = stage.token();
    assert!(run.failed(4).contains("gatepass login cisco"), "{run:#?}");
    let run = stage.home.gatepass(["token", "cisco", "--format", "json"]).run();
    let error = run.error(4);
    assert_eq!(error["code"], "login_required");
    assert!(error["hint"].as_str().unwrap().contains("gatepass login cisco"), "{error}");
    assert_eq!(stage.vendors.sandbox.state().provider("cisco").requests, 0);

    // From the cache until it expires, without a token request.
    let short = Fault::new("expires-short").provider("cisco").param("seconds", "2");
    stage.vendors.sandbox.inject(short.on(Target::Login)).unwrap();
    let login = stage.login(&[]);
    assert!(deliver(&approve(&login.url)).contains("\"good\""));
    assert_eq!(login.finish().code, Some(0));
    let requests = stage.vendors.sandbox.state().provider("cisco").requests;
    let deadline = Instant::now() + Duration::from_secs(20);
    let run = loop {
        let run = stage.token();
        if run.code != Some(0) || Instant::now() > deadline {
            break run;
        }
    };
    assert!(run.failed(4).contains("gatepass login cisco"), "{run:#?}");
    assert_eq!(stage.vendors.sandbox.state().provider("cisco").requests, requests);
}

#[test]
fn sandbox_profiles_can_log_in() {
    let stage = Stage::new();
    let home = stage.vendors.home();
    for vendor in ["cisco", "huawei"] {
        let set = ["--set", "grant=implicit"];
        let login = home.gatepass(["login", vendor, "--no-browser"]).args(set);
        let login = Login::start(login);
        let response = approve(&login.url);
        assert!(deliver(&response).contains("\"good\""));
        assert_eq!(login.finish().code, Some(0));
        let run = home.gatepass(["token", vendor]).args(set).run();
        assert_eq!(run.ok().trim_end(), super::parameter(&response, "access_token"));
        // The program's own token request returns another token.
        let run = home.gatepass(["token", vendor]).run();
        assert_ne!(run.ok().trim_end(), super::parameter(&response, "access_token"));
        // `forget` ends a login.
        assert_eq!(home.gatepass(["forget", vendor]).run().code, Some(0));
        home.gatepass(["token", vendor]).args(set).run().failed(4);
    }
}

#[test]
fn forbidden_login_opens_no_port() {
    let stage = Stage::new();
    for (more, expected) in [
        ("allow_implicit = false\n", "allow_implicit"),
        ("persist = false\n", "persist"),
        ("environment = \"id\"\n", "grant"),
        ("# no environment\n", "\"cloudsso\" (cloudsso.cisco.com: older applications"),
        ("client_secret = { file = \"nowhere\" }\n", "cannot read"),
    ] {
        let home = Home::with_config(&profiles(&stage.vendors, more));
        for command in [["login", "cisco", "--no-browser"], ["login", "cisco", "--paste"]] {
            let run = home.gatepass(command).run();
            let error = run.failed(2);
            assert!(error.contains(expected) && !error.contains("response_type="), "{error}");
            assert!(!error.contains("set grant"), "{more}: {error}");
        }
    }
    let home = stage.vendors.home();
    for (profile, expected) in [("cisco", "grant = \"implicit\""), ("celerdata", "needs no login")]
    {
        let run = home.gatepass(["login", profile, "--no-browser"]).run();
        assert!(run.failed(2).contains(expected), "{run:#?}");
    }
    // Without a store, the token would be lost at the end of the command.
    let login = stage.home.gatepass(["login", "cisco", "--no-browser"]);
    let run = login.env("GATEPASS_STATE_DIR", "/proc/nowhere").run();
    assert!(run.failed(2).contains("no state directory to store the token in"), "{run:#?}");
}

#[test]
fn login_warns_about_the_implicit_grant() {
    let stage = Stage::new();
    let login = stage.login(&[]);
    assert!(deliver(&approve(&login.url)).contains("\"good\""));
    let run = login.finish();
    let lines: Vec<&str> =
        run.stderr.lines().filter(|line| line.contains("client_credentials")).collect();
    assert_eq!(lines.len(), 1, "{run:#?}");
    assert!(run.stdout.is_empty(), "{run:#?}");
    // JSON output: the address to open, and the result.
    let running =
        stage.home.gatepass(["login", "cisco", "--no-browser", "--format", "json"]).spawn();
    let open: serde_json::Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!((&open["event"], &open["expires_in"]), (&"open".into(), &300.into()));
    assert!(deliver(&approve(open["url"].as_str().unwrap())).contains("\"good\""));
    let end: serde_json::Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!((&end["event"], &end["profile"]), (&"logged_in".into(), &"cisco".into()));
    let run = running.finish();
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{run:#?}");
    let again = Login::start(stage.home.gatepass(["login", "cisco", "--no-browser", "-q"]));
    assert!(deliver(&approve(&again.url)).contains("\"good\""));
    assert_eq!(again.finish().code, Some(0));
}
