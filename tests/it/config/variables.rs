//! Tests of variables that do not count or cannot be read: each is named.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use gatepass_tests::{Home, Reply, Server, vendor};

#[test]
fn variables_beside_a_file_are_named() {
    let vendor = vendor("cisco");
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    let home = Home::with_config(&vendor.profile(&server.url(), ""));
    for arguments in [&["token", "cisco"] as &[&str], &["list"], &["doctor", "cisco"]] {
        let command = home.gatepass(arguments.iter().copied());
        let run = command
            .env("GATEPASS_CISCO_CLIENT_ID", "other")
            .env("GATEPASS_CISCO_CLIENT_SECRT", "unsaid-word")
            // A key of another profile, and variables that define none.
            .env("GATEPASS_CISCO_PROD_CLIENT_ID", "other")
            .env("GATEPASS_TOKEN_CISCO_CLIENT_ID", "other")
            .env("GATEPASS_CISCO_SERVICE_HOST", "10.0.0.1")
            .run();
        let all = run.all();
        let names = "GATEPASS_CISCO_CLIENT_ID, GATEPASS_CISCO_CLIENT_SECRT\n";
        assert!(all.contains(&format!("defines the profile cisco: {names}")), "{all}");
        assert!(!all.contains("unsaid-word") && !all.contains("SERVICE_HOST"), "{all}");
        assert!(!all.contains("GATEPASS_TOKEN_CISCO"), "{all}");
    }
    let form = server.requests()[0].form();
    assert!(!form.iter().any(|(_, value)| value == "other"), "{form:?}");
}

#[test]
fn misspelled_variables_are_listed() {
    let home = Home::new();
    let list = home
        .gatepass(["list"])
        .env("GATEPASS_CISCO_CLIENT_SECRT", "x")
        .env("GATEPASS_CSICO_CLIENT_ID", "x")
        .env("GATEPASS_CONFG", "x")
        .env("GATEPASS_PORT", "tcp://10.0.0.1:80")
        .env("GATEPASS_PORT_80_TCP_ADDR", "10.0.0.1")
        .run();
    let all = list.all();
    assert!(all.contains("GATEPASS_CISCO_CLIENT_SECRT"), "{all}");
    assert!(all.contains("GATEPASS_CSICO_CLIENT_ID is not used"), "{all}");
    assert!(all.contains("did you mean GATEPASS_CONFIG?"), "{all}");
    assert!(!all.contains("GATEPASS_PORT"), "{all}");
    let token = home.gatepass(["token", "cisco"]).env("GATEPASS_CISCO_CLIENT_SECRT", "x").run();
    assert!(token.failed(2).contains("GATEPASS_CISCO_CLIENT_SECRET"), "{token:#?}");
}

#[test]
fn reserved_names_and_service_links_define_no_profile() {
    let home = Home::new();
    for (prefix, name) in [
        ("GATEPASS_TOKEN", "token"),
        ("GATEPASS_TOKEN_CISCO", "token-cisco"),
        ("GATEPASS_URL_CISCO", "url-cisco"),
        ("GATEPASS_AGENT", "agent"),
    ] {
        let run = |command: &str| {
            let command =
                home.gatepass([command].into_iter().chain((command == "token").then_some(name)));
            command
                .env(&format!("{prefix}_PROVIDER"), "cisco")
                .env(&format!("{prefix}_CLIENT_ID"), "abc")
                .env(&format!("{prefix}_CLIENT_SECRET"), "def")
                .run()
        };
        assert!(run("token").failed(2).contains("no profile"), "{name}");
        assert!(!run("list").all().contains(prefix), "{name}");
    }
    // The field `host` of the provider ends like a service link.
    let list = home.gatepass(["list"]).env("GATEPASS_CONFIGAPI_SERVICE_HOST", "10.0.0.1").run();
    assert!(!list.all().contains("onfigapi"), "{list:#?}");
}

#[test]
fn variable_that_is_not_utf8_is_named() {
    let reference = |_: &str| String::from("{ env = \"SECRET_OF_TEST\" }");
    let home =
        Home::with_config(&vendor("cisco").profile_with("http://127.0.0.1:9", "", reference));
    for (value, named) in [(&b"a\xffb"[..], "is not UTF-8"), (b"\xff\xfeab", "is UTF-16")] {
        let value = OsStr::from_bytes(value);
        let run = home.gatepass(["token", "cisco"]).env("SECRET_OF_TEST", value).run();
        assert!(run.failed(2).contains(&format!("SECRET_OF_TEST {named}")), "{run:#?}");
    }
    let home = Home::new();
    for name in ["GATEPASS_CISCO_CLIENT_ID", "GATEPASS_CISCO_PROVIDER"] {
        let run = home.gatepass(["token", "cisco"]).env(name, OsStr::from_bytes(b"a\xffb")).run();
        assert!(run.failed(2).contains(&format!("{name} is not UTF-8")), "{run:#?}");
    }
}

#[test]
fn encoding_of_config_is_named() {
    let home = Home::with_config("");
    let utf16: Vec<u8> = "[profiles.cisco]\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with_mark = [&b"\xff\xfe"[..], &utf16].concat();
    for (bytes, named) in [
        (with_mark, "UTF-16"),
        (utf16, "NUL"),
        (b"[profiles.cisco]\nclient_id = \"\xe4\"\n".to_vec(), "not UTF-8"),
    ] {
        std::fs::write(home.path("config/gatepass/config.toml"), bytes).unwrap();
        for command in [&["token", "cisco"] as &[&str], &["list"], &["doctor"]] {
            let run = home.gatepass(command.iter().copied()).run();
            assert_eq!(run.code, Some(2), "{run:#?}");
            assert!(run.all().contains(named), "{run:#?}");
        }
    }
}

#[test]
fn settings_that_are_not_understood_are_named() {
    let vendor = vendor("cisco");
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    let home = Home::with_config(&vendor.profile(&server.url(), ""));
    let run = home.gatepass(["token", "cisco"]).env("RUST_LOG", "gatepass=loud=x").run();
    assert_eq!(run.ok(), "token-1\n");
    assert!(run.stderr.contains("RUST_LOG is ignored"), "{run:#?}");
    let list = home.gatepass(["list"]).env("XDG_STATE_HOME", "relative").run();
    assert!(list.all().contains("XDG_STATE_HOME is ignored"), "{list:#?}");
    let run = home.gatepass(["token", "cisco"]).env("XDG_CONFIG_HOME", "relative").run();
    assert!(run.failed(2).contains("XDG_CONFIG_HOME is ignored"), "{run:#?}");
}
