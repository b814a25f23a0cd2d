//! Tests of `gatepass exec`: a program with the token in its environment.

mod file;
mod orphans;
mod profiles;
mod signals;

use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{Gatepass, Home, Reply, Server, gatepass_binary, vendor};

/// Starts a vendor with this token and returns it with a home.
fn fixture(token: &str) -> (Server, Home) {
    let response = vendor("cisco").token_response(token);
    let server = Server::responding([Reply::json(200, response)]);
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    (server, home)
}

fn exec<'home>(home: &'home Home, options: &[&str], program: &[&str]) -> Gatepass<'home> {
    let args = ["exec", "cisco"].iter().chain(options).chain(&["--"]).chain(program);
    home.gatepass(args.copied())
}

/// Runs the command in a shell script.
fn run_in_shell<'home>(home: &'home Home, script: &str) -> Gatepass<'home> {
    let script = script.replace("gatepass", gatepass_binary().to_str().unwrap());
    home.program("/bin/sh".as_ref(), ["-c", &script])
}

#[test]
fn exec_returns_the_programs_exit_code() {
    let (_server, home) = fixture("token-of-the-program");
    for options in [[].as_slice(), &["--file", "token"]] {
        for code in [0, 1, 2, 3, 125, 255] {
            let run = exec(&home, options, &["sh", "-c", &format!("exit {code}")]).run();
            assert_eq!(run.code, Some(code), "{options:?} {run:#?}");
            assert_eq!(run.all().trim(), "");
        }
    }
}

#[test]
fn program_ended_by_signal_exits_with_128_plus_signal() {
    let (_server, home) = fixture("token-of-the-program");
    for options in ["", "--file token"] {
        for (signal, code) in [("TERM", 143), ("KILL", 137), ("USR1", 138)] {
            let script =
                format!("gatepass exec cisco {options} -- sh -c 'kill -{signal} $$'; echo \"$?\"");
            assert_eq!(run_in_shell(&home, &script).run().ok(), format!("{code}\n"), "{options}");
        }
    }
}

#[test]
fn exec_exits_126_or_127_without_a_program() {
    let (_server, home) = fixture("token-of-the-program");
    let text = home.write("work/text", "no program");
    for options in [[].as_slice(), &["--file", "token"]] {
        for (program, code) in [
            (text.to_str().unwrap(), 126),
            ("/", 126),
            ("no-such-program", 127),
            ("./no-such-program", 127),
        ] {
            let run = exec(&home, options, &[program, "an-argument"]).run();
            assert!(run.failed(code).contains(program), "{run:#?}");
            assert!(!run.stderr.contains("an-argument"), "{run:#?}");
            let json = [options, &["--format", "json"]].concat();
            exec(&home, &json, &[program]).run().error(code);
            assert!(!home.path("work/token").exists());
        }
    }
}

#[test]
fn failure_before_the_program_exits_125() {
    let response = "{\"error\": \"invalid_client\"}";
    let server = Server::responding([Reply::json(401, response)]);
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    for (args, code) in [
        (["exec", "cisco", "--", "touch", "ran"].as_slice(), "denied"),
        (&["exec", "cisco", "--file", "token", "--", "touch", "ran"], "denied"),
        (&["exec", "unknown", "--", "touch", "ran"], "config"),
        (&["exec", "cisco", "touch", "ran"], "denied"),
        (&["exec", "cisco", "--no-such", "touch", "ran"], "config"),
        (&["exec", "cisco", "--no-such", "--", "touch", "ran"], "config"),
        (&["exec", "cisco", "--env", "A=b", "--", "touch", "ran"], "config"),
        (&["exec", "cisco", "--env", "", "--", "touch", "ran"], "config"),
        (&["exec", "cisco", "--"], "config"),
        (&["exec", "cisco"], "config"),
    ] {
        let lines = home.gatepass(args.iter().copied()).run();
        assert!(lines.failed(125).lines().nth(1).unwrap().contains("hint"), "{args:?} {lines:#?}");
        let json = ["--set", "timeout=9s", "--format", "json"].into_iter().chain(args.to_vec());
        assert_eq!(home.gatepass(json).run().error(125)["code"], code, "{args:?}");
        assert!(!home.path("work/ran").exists(), "{args:?}");
    }
}

#[test]
fn exec_rejects_a_token_below_min_ttl() {
    let (_server, home) = fixture("token-of-the-program");
    for options in [["--min-ttl", "2h"].as_slice(), &["--min-ttl", "2h", "--file", "token"]] {
        let json = [options, &["--format", "json"]].concat();
        let run = exec(&home, &json, &["touch", "ran"]).run();
        assert_eq!(run.error(125)["code"], "too_short");
        assert!(!home.path("work/ran").exists() && !home.path("work/token").exists());
    }
    assert_eq!(exec(&home, &["--min-ttl", "10m"], &["echo", "ran"]).run().ok(), "ran\n");
}

#[test]
fn exec_sets_only_the_requested_variable() {
    let token = canary("token");
    let (_server, home) = fixture(token.text());
    for (options, names) in [
        ([].as_slice(), ["GATEPASS_TOKEN"].as_slice()),
        (&["--env", "CISCO_TOKEN"], &["CISCO_TOKEN"]),
        (&["--env", "A", "--env", "B_2"], &["A", "B_2"]),
        (&["--file", "token"], &[]),
        (&["--file", "token", "--env", "A"], &["A"]),
    ] {
        let run = exec(&home, options, &["env"]).run();
        let mut matching: Vec<&str> =
            run.ok().lines().filter(|line| line.contains(token.text())).collect();
        matching.sort_unstable();
        let expected: Vec<String> =
            names.iter().map(|name| format!("{name}={}", token.text())).collect();
        assert_eq!(matching, expected, "{options:?}");
        let has_file = run.stdout.lines().any(|line| line.starts_with("GATEPASS_TOKEN_FILE=/"));
        assert_eq!(has_file, options.contains(&"--file"), "{run:#?}");
    }
}

#[test]
fn exec_removes_secret_variables_only() {
    let secrets: Vec<Canary> = ["profile", "variable", "ignored"].map(canary).into();
    let server = Server::responding([Reply::json(200, vendor("cisco").token_response("token-1"))]);
    let config = vendor("cisco").profile_with(&server.url(), "", |_| "{ env = \"ONE\" }".into())
        + &vendor("huawei").profile_with(&server.url(), "", |_| "{ env = \"TWO\" }".into());
    let home = Home::with_config(&config);
    for (profile, options, removed) in [
        ("cisco", [].as_slice(), "ONE"),
        ("cisco", &["--file", "token"], "ONE"),
        ("cisco", &["--env", "ONE"], ""),
        ("lake", &[], "GATEPASS_LAKE_CLIENT_SECRET"),
        ("lake", &["--file", "token"], "GATEPASS_LAKE_CLIENT_SECRET"),
    ] {
        let args = [&["exec", profile], options, &["--", "env"]].concat();
        let variables = [
            ("ONE", secrets[0].text()),
            ("TWO", "of a profile that this command does not use"),
            ("GATEPASS_LAKE_PROVIDER", "cisco"),
            ("GATEPASS_LAKE_ENVIRONMENT", "cloudsso"),
            ("GATEPASS_LAKE_BASE_URL", &server.url()),
            ("GATEPASS_LAKE_CLIENT_ID", "lake-1"),
            ("GATEPASS_LAKE_CLIENT_SECRET", secrets[1].text()),
            ("GATEPASS_IAM_CLIENT_SECRET_FILE", "/run/secrets/iam"),
            ("OTHER", "kept"),
            ("GATEPASS_OTHER", "kept, too"),
        ];
        let command = home.gatepass(args);
        let command =
            variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        let run = command.run();
        for (name, value) in variables {
            let is_kept = run.ok().lines().any(|line| line == format!("{name}={value}"));
            let is_replaced = options.contains(&name);
            assert_eq!(is_kept, name != removed && !is_replaced, "{profile} {options:?} {name}");
        }
        assert_eq!(run.stdout.contains("ONE=token-1"), options.contains(&"ONE"), "{run:#?}");
    }
}

#[test]
fn token_is_in_no_process_argument() {
    let token = canary("token");
    let (_server, home) = fixture(token.text());
    let show = "tr '\\0' ' ' < /proc/$$/cmdline; tr '\\0' ' ' < /proc/$PPID/cmdline; :";
    for options in [[].as_slice(), &["--file", "token"]] {
        let run = exec(&home, options, &["sh", "-c", show]).run();
        assert!(run.ok().contains("cmdline"), "{run:#?}");
        assert_eq!(find_leak(&run.all(), std::slice::from_ref(&token)), None);
    }
}

#[test]
fn arguments_after_dashes_belong_to_the_program() {
    let (_server, home) = fixture("token-of-the-program");
    let program_args = ["--help", "--format", "json", "--", "-v", "", "two words", "*", "$HOME"];
    for options in [[].as_slice(), &["--file", "token"]] {
        let program =
            [["sh", "-c", "printf '<%s>' \"$@\"", "sh"].as_slice(), &program_args].concat();
        let expected: String = program_args.iter().map(|word| format!("<{word}>")).collect();
        assert_eq!(exec(&home, options, &program).run().ok(), expected);
    }
}

#[test]
fn program_inherits_standard_streams() {
    let (_server, home) = fixture("token-of-the-program");
    for options in [[].as_slice(), &["--file", "token"]] {
        let run = exec(&home, options, &["sh", "-c", "tr a-z A-Z; echo aside >&2"]).stdin("abc");
        let run = run.run();
        assert_eq!((run.ok(), run.stderr.as_str()), ("ABC", "aside\n"));
    }
}

#[test]
fn exec_replaces_the_process_without_file() {
    let (_server, home) = fixture("token-of-the-program");
    let running = exec(&home, &[], &["sh", "-c", "echo $$"]).spawn();
    let id = running.id();
    assert_eq!(running.finish().ok(), format!("{id}\n"));
}

#[test]
fn exec_waits_for_an_unavailable_vendor() {
    let response = Reply::json(200, vendor("cisco").token_response("token-at-last"));
    let server = Server::responding([Reply::empty(503), response]);
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let run = exec(&home, &["--wait", "0s"], &["env"]).run();
    run.failed(125);
    home.forget_all();
    let run = exec(&home, &["--wait", "30s"], &["sh", "-c", "echo $GATEPASS_TOKEN"]).run();
    assert_eq!(run.ok(), "token-at-last\n");
}
