//! Tests of the form of a secret: the right value in the wrong wrapping is named.

use gatepass_tests::{Gatepass, Home, Reply, Run, Server, vendor};

/// Runs `token` with this TOML value as the secret.
fn run(
    secret: &str,
    prepare: impl FnOnce(&Home),
    with: impl Fn(Gatepass<'_>) -> Gatepass<'_>,
) -> Run {
    let vendor = vendor("cisco");
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    let home = Home::with_config(&vendor.profile_with(&server.url(), "", |_| secret.to_owned()));
    prepare(&home);
    let run = with(home.gatepass(["token", "cisco", "--wait", "0s"])).run();
    let connections = server.connections();
    let doctor = with(home.gatepass(["doctor", "cisco"])).run();
    assert!(!(run.all() + &doctor.all()).contains(SECRET), "{run:#?} {doctor:#?}");
    if run.code == Some(2) {
        assert_eq!(connections, 0, "a refused secret was sent");
        assert_eq!(doctor.code, Some(2), "{doctor:#?}");
        return run;
    }
    let form = server.requests()[0].form();
    let sent = form.into_iter().find(|(name, _)| name == "client_secret").unwrap().1;
    Run { stdout: sent, ..run }
}

/// Returns the run with the value from a file, a variable, a command and standard input.
fn from_each_source(value: &str, options: &str) -> Vec<Run> {
    let file = |home: &Home| {
        home.write("config/gatepass/secret", value);
        home.write("work/secret", value);
    };
    let mut runs = vec![
        run(&format!("{{ file = \"secret\"{options} }}"), file, |command| command),
        run(&format!("{{ command = [\"cat\", \"secret\"]{options} }}"), file, |command| command),
        run(&format!("{{ stdin = true{options} }}"), |_| {}, |command| command.stdin(value)),
    ];
    if !value.contains('\0') {
        let reference = format!("{{ env = \"SECRET_OF_TEST\"{options} }}");
        runs.push(run(&reference, |_| {}, |command| command.env("SECRET_OF_TEST", value)));
    }
    runs
}

#[test]
fn one_newline_is_dropped_from_every_source() {
    for value in ["unsaid-word", "unsaid-word\n", "unsaid-word\r\n"] {
        for run in from_each_source(value, "") {
            assert_eq!((run.code, run.stdout.as_str()), (Some(0), SECRET), "{run:#?}");
        }
    }
    for value in ["a b", "p\u{e4}ss\u{4e2d}", "\"half", "a\"b", "YWJj=="] {
        for run in from_each_source(value, "") {
            assert_eq!((run.code, run.stdout.as_str()), (Some(0), value), "{run:#?}");
        }
    }
}

#[test]
fn wrapping_of_secret_is_named_from_every_source() {
    for (value, named) in [
        ("unsaid-word\n\n", "newline"),
        ("unsaid-word\r", "carriage return"),
        ("unsaid\nword", "several lines"),
        (" unsaid-word", "white space"),
        ("unsaid-word \n", "white space"),
        ("unsaid-word\t", "white space"),
        ("unsaid-word\u{a0}", "white space"),
        ("\"unsaid-word\"", "quotes"),
        ("'unsaid-word'\n", "quotes"),
        ("\u{feff}unsaid-word", "byte order mark"),
        ("unsaid\tword", "control character (U+0009)"),
        ("unsaid\u{1b}word", "control character (U+001B)"),
        ("unsaid-word\u{200b}", "invisible character (U+200B)"),
        ("unsaid-word\0", "NUL"),
    ] {
        for run in from_each_source(value, "") {
            assert!(run.failed(2).contains(named), "{value:?}: {run:#?}");
            assert!(run.stderr.contains("hint: "), "{run:#?}");
        }
    }
}

#[test]
fn raw_secret_is_used_byte_for_byte() {
    for value in [" unsaid-word \n", "unsaid\nword\n", "\"unsaid-word\"", "\u{feff}x", "x\r\n"] {
        for run in from_each_source(value, ", raw = true") {
            assert_eq!((run.code, run.stdout.as_str()), (Some(0), value), "{run:#?}");
        }
    }
    for run in from_each_source("unsaid\0word", ", raw = true") {
        assert!(run.failed(2).contains("NUL"), "{run:#?}");
    }
}

#[test]
fn literals_and_variables_of_profiles_are_checked() {
    for literal in ["\" unsaid-word\"", "\"unsaid-word\\n\"", "\"'unsaid-word'\"", "\"a\\u0007\""] {
        let run = run(literal, |_| {}, |command| command);
        assert!(run.failed(2).contains("`client_secret`"), "{run:#?}");
        assert!(run.stderr.contains("raw = true"), "{run:#?}");
    }
    let vendor = vendor("cisco");
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    let home = Home::new();
    let token = |id: &str, secret: &str| {
        home.forget_all();
        let command = home.gatepass(["token", "cisco", "--wait", "0s"]);
        let command = command.env("GATEPASS_CISCO_BASE_URL", server.url());
        let command = vendor.texts.iter().fold(command, |command, (name, value)| {
            command.env(&format!("GATEPASS_CISCO_{}", name.to_uppercase()), value)
        });
        let command = command.env("GATEPASS_CISCO_CLIENT_ID", id);
        command.env("GATEPASS_CISCO_CLIENT_SECRET", secret).run()
    };
    assert_eq!(token("abc\n", "unsaid-word\n").ok(), "token-1\n");
    let form = server.request().form();
    assert!(form.contains(&("client_secret".into(), SECRET.into())), "{form:?}");
    assert!(form.contains(&("client_id".into(), "abc".into())), "{form:?}");
    assert!(token("abc", "\"unsaid-word\"").failed(2).contains("GATEPASS_CISCO_CLIENT_SECRET"));
    assert!(token("abc", "unsaid-word ").failed(2).contains("white space"));
    assert!(token("\"abc\"", "unsaid-word").failed(2).contains("GATEPASS_CISCO_CLIENT_ID"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn line_of_an_env_file_is_a_remark() {
    let vendor = vendor("cisco");
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    let reference = |_: &str| String::from("{ file = \"secret\" }");
    let home = Home::with_config(&vendor.profile_with(&server.url(), "", reference));
    home.write("config/gatepass/secret", "CLIENT_SECRET=unsaid-word\n");
    assert_eq!(home.gatepass(["token", "cisco"]).run().ok(), "token-1\n");
    let doctor = home.gatepass(["doctor", "cisco"]).run().all();
    assert!(doctor.contains("looks like NAME=VALUE") && !doctor.contains(SECRET), "{doctor}");
}

#[test]
fn command_reference_takes_one_line() {
    let command = |options: &str| {
        let reference =
            format!("{{ command = [\"printf\", \"unsaid-word\\\\nuser\\\\n\"]{options} }}");
        run(&reference, |_| {}, |command| command)
    };
    assert_eq!(command(", line = 1").stdout, SECRET);
    assert_eq!(command(", line = 2").stdout, "user");
    assert!(command(", line = 3").failed(2).contains("has 2 lines, and no line 3"));
    let several = command("");
    assert!(several.failed(2).contains("several lines") && several.stderr.contains("line = 1"));
    for options in
        [", line = 0", ", line = \"1\"", ", line = 1, raw = true", ", raw = 1", ", owner = 1"]
    {
        assert!(command(options).failed(2).contains("`client_secret`"), "{options}");
    }
}

#[test]
fn encoding_of_secret_is_named() {
    let vendor = vendor("cisco");
    let home = Home::with_config(
        &vendor.profile_with("http://127.0.0.1:9", "", |_| String::from("{ file = \"secret\" }")),
    );
    let path = home.path("config/gatepass/secret");
    home.write("config/gatepass/secret", "");
    for (bytes, named) in
        [(&b"\xff\xfea\0b\0"[..], "UTF-16"), (b"\xfe\xff\0a", "UTF-16"), (b"a\xff", "not UTF-8")]
    {
        std::fs::write(&path, bytes).unwrap();
        let run = home.gatepass(["token", "cisco", "--wait", "0s"]).run();
        assert!(run.failed(2).contains(named), "{run:#?}");
    }
}

const SECRET: &str = "unsaid-word";
