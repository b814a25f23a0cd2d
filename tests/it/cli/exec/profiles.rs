//! Tests of the profiles of `gatepass exec`: several in one command, nested, optional `--`.

use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{Gatepass, Home, Reply, Server, gatepass_binary, vendor};

/// Starts a vendor that names the client in its tokens.
fn server() -> Server {
    Server::new(|_, request| {
        let form = request.form_or_query();
        let client = form.iter().find(|(name, _)| name == "client_id").map(|(_, id)| id.clone());
        let token = format!("token-of-{}", client.unwrap_or_default());
        Reply::json(200, vendor("cisco").token_response(&token))
    })
}

/// Runs the command with the profiles `cisco` and `my-lake` from variables, as in CI and containers.
fn with_variables<'home>(
    home: &'home Home,
    server: &Server,
    secrets: &[Canary],
    args: &[&str],
) -> Gatepass<'home> {
    let mut command = home.gatepass(args.iter().copied());
    for (name, secret) in ["CISCO", "MY_LAKE"].iter().zip(secrets) {
        let variable = |key: &str| format!("GATEPASS_{name}_{key}");
        command = command
            .env(&variable("PROVIDER"), "cisco")
            .env(&variable("ENVIRONMENT"), "cloudsso")
            .env(&variable("BASE_URL"), server.url())
            .env(&variable("CLIENT_ID"), name.to_lowercase())
            .env(&variable("CLIENT_SECRET"), secret.text());
    }
    command
}

/// Returns the secrets of the two profiles.
fn secrets() -> Vec<Canary> {
    ["cisco", "lake"].map(canary).into()
}

/// Returns the values of these variables in the output of `env`.
fn values(environment: &str, names: &[&str]) -> Vec<String> {
    let value = |name: &&str| {
        let prefix = format!("{name}=");
        let mut lines = environment.lines();
        lines.find_map(|line| line.strip_prefix(&prefix)).unwrap_or("-").to_owned()
    };
    names.iter().map(value).collect()
}

#[test]
fn exec_passes_the_tokens_of_several_profiles() {
    let (server, home, secrets) = (server(), Home::new(), secrets());
    for args in [
        ["exec", "cisco=A", "my-lake=B", "--", "env"].as_slice(),
        &["exec", "cisco=A", "my-lake=B", "env"],
        &["exec", "cisco=A", "--wait", "30s", "my-lake=B", "env"],
    ] {
        let run = with_variables(&home, &server, &secrets, args).run();
        let tokens = values(run.ok(), &["A", "B", "GATEPASS_TOKEN"]);
        assert_eq!(tokens, ["token-of-cisco", "token-of-my_lake", "-"], "{args:?}");
        assert_eq!(find_leak(&run.all(), &secrets), None, "{args:?}");
    }
}

#[test]
fn nested_exec_passes_both_tokens() {
    let (server, home, secrets) = (server(), Home::new(), secrets());
    let gatepass = gatepass_binary().to_str().unwrap();
    for (outer, inner, names) in [
        (["cisco", "--env", "A"].as_slice(), ["my-lake", "--env", "B"].as_slice(), ["A", "B"]),
        (&["cisco=A"], &["my-lake"], ["A", "GATEPASS_TOKEN"]),
        (
            &["cisco=GATEPASS_TOKEN_CLIENT_SECRET"],
            &["my-lake=B"],
            ["GATEPASS_TOKEN_CLIENT_SECRET", "B"],
        ),
    ] {
        let args = [&["exec"], outer, &["--", gatepass, "exec"], inner, &["--", "env"]].concat();
        let run = with_variables(&home, &server, &secrets, &args).run();
        assert_eq!(values(run.ok(), &names), ["token-of-cisco", "token-of-my_lake"], "{args:?}");
        assert_eq!(find_leak(&run.all(), &secrets), None, "{args:?}");
    }
}

#[test]
fn nested_exec_of_one_profile_explains_the_missing_secret() {
    let (server, home, secrets) = (server(), Home::new(), secrets());
    let gatepass = gatepass_binary().to_str().unwrap();
    let args = ["exec", "cisco=A", "--", gatepass, "exec", "cisco=B", "--", "env"];
    let run = with_variables(&home, &server, &secrets, &args).run();
    assert!(run.failed(125).contains("the outer one removed the variables"), "{run:#?}");
    home.write(
        "config/gatepass/config.toml",
        &vendor("cisco").profile_with(&server.url(), "", |_| "{ env = \"ONE\" }".into()),
    );
    let run = home.gatepass(args).env("ONE", secrets[0].text()).run();
    assert!(run.failed(125).contains("the outer one removed the variables"), "{run:#?}");
}

#[test]
fn one_profile_has_its_expiry_beside_the_token() {
    let (server, home, secrets) = (server(), Home::new(), secrets());
    let names = ["GATEPASS_TOKEN", "GATEPASS_TOKEN_EXPIRES_AT", "A"];
    for (args, has_token, has_expiry, has_named) in [
        (["exec", "cisco"].as_slice(), true, true, false),
        (&["exec", "cisco=A"], false, false, true),
        (&["exec", "cisco", "--env", "A"], false, false, true),
        (&["exec", "cisco=GATEPASS_TOKEN", "my-lake=A"], true, true, true),
        (&["exec", "cisco", "--file", "token"], false, false, false),
        (&["exec", "cisco=A", "--file", "token"], false, false, true),
    ] {
        let args = [args, &["--", "env"]].concat();
        let run = with_variables(&home, &server, &secrets, &args).run();
        let found = values(run.ok(), &names).into_iter().map(|value| value != "-");
        assert_eq!(found.collect::<Vec<_>>(), [has_token, has_expiry, has_named], "{args:?}");
        let expiry = values(&run.stdout, &names).remove(1);
        assert_eq!(expiry.parse::<jiff::Timestamp>().is_ok(), has_expiry, "{expiry}");
    }
}

#[test]
fn profiles_without_a_variable_have_one_named_after_them() {
    let (server, home, secrets) = (server(), Home::new(), secrets());
    let names = ["GATEPASS_TOKEN_CISCO", "GATEPASS_TOKEN_MY_LAKE", "GATEPASS_TOKEN"];
    let args = ["exec", "cisco", "my-lake", "--", "env"];
    let run = with_variables(&home, &server, &secrets, &args).run();
    assert_eq!(values(run.ok(), &names), ["token-of-cisco", "token-of-my_lake", "-"]);
    let args = ["exec", "cisco=A", "my-lake", "--", "env"];
    let run = with_variables(&home, &server, &secrets, &args).run();
    assert_eq!(values(run.ok(), &names), ["-", "token-of-my_lake", "-"]);
}

#[test]
fn program_may_follow_the_profile_without_dashes() {
    let (server, home, secrets) = (server(), Home::new(), secrets());
    for (args, expected) in [
        (["cisco", "echo", "--help", "-v", "a=b"].as_slice(), "--help -v a=b\n"),
        (&["cisco", "--min-ttl", "1m", "-q", "echo", "--wait"], "--wait\n"),
        (&["cisco", "sh", "-c", "echo $0 $@", "--", "x"], "-- x\n"),
        (&["cisco=A", "sh", "-c", "echo $A"], "token-of-cisco\n"),
        (&["cisco", "--file", "token", "cat", "token"], "token-of-cisco"),
    ] {
        let args = [&["exec"], args].concat();
        let run = with_variables(&home, &server, &secrets, &args).run();
        assert_eq!(run.ok(), expected, "{args:?}");
    }
}

#[test]
fn unknown_profile_without_dashes_is_a_usage_error() {
    let (server, home, secrets) = (server(), Home::new(), secrets());
    let value = canary("value of a variable");
    let assignment = format!("PASSWORD={}", value.text());
    for (args, code) in [
        (["exec", "touch", "ran"].as_slice(), 2),
        (&["exec", "cisco", &assignment, "touch", "ran"], 2),
        (&["exec", "A=b/c", "touch", "ran"], 2),
        (&["exec", "cisco", "touch", "--", "touch", "ran"], 125),
    ] {
        let run = with_variables(&home, &server, &secrets, args).run();
        assert!(run.failed(code).contains("write -- before the program"), "{args:?} {run:#?}");
        assert_eq!(find_leak(&run.stderr, std::slice::from_ref(&value)), None, "{args:?}");
        let json = [&["--format", "json"], args].concat();
        let error = with_variables(&home, &server, &secrets, &json).run().error(code);
        assert_eq!(error["code"], "config", "{args:?}");
        assert!(!home.path("work/ran").exists(), "{args:?}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn ambiguous_variables_are_refused() {
    let (server, home, secrets) = (server(), Home::new(), secrets());
    for (args, reason) in [
        (["cisco=A", "my-lake=A"].as_slice(), "use one variable: A"),
        (&["cisco", "cisco"], "use one variable: GATEPASS_TOKEN_CISCO"),
        (&["my-lake", "my_lake"], "use one variable: GATEPASS_TOKEN_MY_LAKE"),
        (&["cisco=", "my-lake=B"], "invalid name of a variable"),
        (&["cisco=1A"], "invalid name of a variable"),
        (&["cisco=A", "my-lake=B", "--env", "C"], "--env is for one profile only"),
        (&["cisco=A", "my-lake=B", "--file", "token"], "--file is for one profile only"),
    ] {
        let args = [&["exec"], args, &["--", "touch", "ran"]].concat();
        let run = with_variables(&home, &server, &secrets, &args).run();
        assert!(run.failed(125).contains(reason), "{args:?} {run:#?}");
    }
    assert!(!home.path("work/ran").exists() && !home.path("work/token").exists());
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn program_starts_only_with_all_tokens() {
    let (server, home, secrets) = (server(), Home::new(), secrets());
    let args = ["exec", "cisco=A", "other=B", "--", "touch", "ran"];
    let refusing = Server::responding([Reply::json(401, "{\"error\": \"invalid_client\"}")]);
    let run = with_variables(&home, &server, &secrets, &args)
        .env("GATEPASS_OTHER_PROVIDER", "cisco")
        .env("GATEPASS_OTHER_ENVIRONMENT", "cloudsso")
        .env("GATEPASS_OTHER_BASE_URL", refusing.url())
        .env("GATEPASS_OTHER_CLIENT_ID", "other")
        .env("GATEPASS_OTHER_CLIENT_SECRET", "a secret-of-the-other-profile")
        .run();
    run.failed(125);
    assert!(!home.path("work/ran").exists());
}
