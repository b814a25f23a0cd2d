//! Tests of config errors: one sentence and a hint each, and no value.

use gatepass_testkit::{Canary, find_leak};
use gatepass_tests::{Home, Run};
use insta::assert_snapshot;

/// Returns the error of a profile `cisco` with these lines, a secret and an environment; checks that
/// text and JSON output do not show the secret.
#[track_caller]
fn cisco_error(lines: &str) -> String {
    cisco_error_without_environment(&format!("{lines}\nenvironment = \"id\""))
}

#[track_caller]
fn cisco_error_without_environment(lines: &str) -> String {
    error_of(&format!("[profiles.cisco]\n{lines}\nclient_secret = \"{SECRET}\"\n"), "cisco", &[])
}

#[track_caller]
fn error_of(config: &str, profile: &str, more: &[&str]) -> String {
    let home = Home::new();
    let path = home.write("c.toml", config);
    let run = |more: &[&str]| {
        let args = ["token", profile, "--wait", "0s"].into_iter().chain(more.iter().copied());
        home.gatepass(args).config(&path).run()
    };
    let text = run(more);
    let json = run(&[more, &["--format", "json"]].concat());
    let error_text = redacted(&home, &text);
    let error = json.error(2);
    assert_eq!(error["code"], "config", "{error}");
    assert!(error["hint"].is_string(), "no hint: {error}");
    let message = error["message"].as_str().unwrap();
    assert!(!message.contains('\n') && text.stderr.contains(message), "{error_text}");
    error_text
}

#[track_caller]
fn redacted(home: &Home, run: &Run) -> String {
    let secret = [Canary::new("secret", SECRET)];
    assert_eq!(find_leak(run.failed(2), &secret), None, "{run:#?}");
    let folder = format!("{}/", home.path("").display().to_string().trim_end_matches('/'));
    run.stderr.replace(&folder, "").trim_end().to_owned()
}

/// The value that must not be shown.
const SECRET: &str = "unsaid-secret-of-the-tests";

#[test]
fn unknown_profile_is_reported() {
    assert_snapshot!(error_of("[profiles.cisco-prod]\n", "cisco-prd", &[]), @r"
    gatepass: no profile `cisco-prd` in c.toml
      hint: did you mean `cisco-prod`?
    ");
    assert_snapshot!(error_of("[profiles.a]\n", "huawei", &[]), @r"
    gatepass: no profile `huawei` in c.toml
      hint: add the profile: gatepass profile add huawei --config c.toml
      hint: or set GATEPASS_HUAWEI_DOMAIN, GATEPASS_HUAWEI_CLIENT_ID, GATEPASS_HUAWEI_CLIENT_SECRET
    ");
    assert_snapshot!(error_of("[profiles.a]\n", "xyzzy", &[]), @r"
    gatepass: no profile `xyzzy` in c.toml
      hint: list the profiles: gatepass list --config c.toml
      hint: or add it: write [profiles.xyzzy] into the config file, or set GATEPASS_XYZZY_PROVIDER and its fields
    ");
    assert_snapshot!(error_of("[profiles.a]\n", "../a", &[]), @r"
    gatepass: `..a` is not a valid profile name
      hint: a name has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit
    ");
}

#[test]
fn unknown_provider_is_reported() {
    let of = |provider| error_of(&format!("[profiles.p]\nprovider = \"{provider}\"\n"), "p", &[]);
    assert_snapshot!(of("cizco"), @r"
    gatepass: p: c.toml:2: no provider `cizco` in this build, which has: celerdata, cisco, cloudneeti, configapi, huawei
      hint: did you mean `cisco`?
    ");
    assert_snapshot!(of("Bright Pattern"), @r#"
    gatepass: p: c.toml:2: no provider `Bright Pattern` in this build, which has: celerdata, cisco, cloudneeti, configapi, huawei
      hint: did you mean provider = "configapi"?
    "#);
    assert_snapshot!(of("zscaler"), @r#"
    gatepass: p: c.toml:2: no provider `zscaler` in this build, which has: celerdata, cisco, cloudneeti, configapi, huawei
      hint: did you mean provider = "cloudneeti"?
    "#);
    assert_snapshot!(of("xyzzy"), @r"
    gatepass: p: c.toml:2: no provider `xyzzy` in this build, which has: celerdata, cisco, cloudneeti, configapi, huawei
      hint: a provider of another crate is linked only if some code names it: `use provider_acme as _;`
    ");
    assert_snapshot!(error_of("[profiles.p]\nclient_id = \"a\"\n", "p", &[]), @r#"
    gatepass: p: c.toml:1: no provider `p` in this build, which has: celerdata, cisco, cloudneeti, configapi, huawei
      hint: name the vendor: set provider = "…" in the profile
    "#);
}

#[test]
fn unknown_key_is_reported() {
    assert_snapshot!(cisco_error("client_id = \"a\"\nclient_secrt = \"b\""), @r"
    gatepass: cisco/cisco: c.toml:3: unknown key `client_secrt`
      hint: did you mean `client_secret`?
    ");
    assert_snapshot!(cisco_error("client_id = \"a\"\nbase-url = \"b\""), @r"
    gatepass: cisco/cisco: c.toml:3: unknown key `base-url`
      hint: did you mean `base_url`?
    ");
    assert_snapshot!(cisco_error("client_id = \"a\"\nxyzzy = \"b\""), @r"
    gatepass: cisco/cisco: c.toml:3: unknown key `xyzzy`
      hint: list the keys of cisco: gatepass providers
    ");
    assert_snapshot!(cisco_error("client_id = \"a\"\ndomain = \"b\""), @r"
    gatepass: cisco/cisco: c.toml:3: unknown key `domain`
      hint: list the keys of cisco: gatepass providers
    ");
}

#[test]
fn wrong_environment_or_choice_is_reported() {
    let environment =
        |lines: &str| cisco_error_without_environment(&format!("client_id = \"a\"{lines}"));
    assert_snapshot!(environment("\nenvironment = \"unsaid-secret\""), @r"
    gatepass: cisco/cisco: c.toml:3: `environment`: unknown value
      hint: cisco has: id, cloudsso
    ");
    let missing = environment("");
    assert_snapshot!(missing, @r#"
    gatepass: cisco/cisco: c.toml:1: `environment`: missing
      hint: set it to "id" (id.cisco.com: applications registered since March 2023) or "cloudsso" (cloudsso.cisco.com: older applications, and the implicit grant)
    "#);
    assert_eq!(environment("\nbase_url = \"https://proxy.example\""), missing);
    let implicit = "\ngrant = \"implicit\"\nredirect_uri = \"http://localhost:0/x\"";
    assert_eq!(environment(implicit), missing);
    assert_snapshot!(cisco_error("client_id = \"a\"\nclient_auth = \"unsaid-secret\""), @r"
    gatepass: cisco/cisco: c.toml:3: `client_auth`: unknown value
      hint: use one of: form, basic, query
    ");
    assert_snapshot!(cisco_error("client_id = \"a\"\ntoken_charset = \"unsaid-secret\""), @r"
    gatepass: cisco/cisco: c.toml:3: `token_charset`: unknown value
      hint: use one of: b64token, vschar-no-space
    ");
    let config = "[profiles.lake]\nprovider = \"celerdata\"\nenvironment = \"prod\"\n\
                  client_id = \"a\"\nclient_secret = \"b\"\n";
    assert_snapshot!(error_of(config, "lake", &[]), @r"
    gatepass: celerdata/lake: c.toml:3: `environment`: unknown value
      hint: celerdata has no environments: remove this key
    ");
}

#[test]
fn missing_value_is_reported() {
    assert_snapshot!(cisco_error(""), @r"
    gatepass: cisco/cisco: c.toml:1: `client_id`: missing
      hint: the key of your application in the API console
    ");
    assert_snapshot!(error_of("[profiles.cisco]\nclient_id = \"a\"\nenvironment = \"id\"\n", "cisco", &[]), @r"
    gatepass: cisco/cisco: c.toml:1: `client_secret`: missing
      hint: the client secret of the same application
    ");
    assert_snapshot!(cisco_error("client_id = \"\""), @r"
    gatepass: cisco/cisco: c.toml:2: `client_id`: empty
      hint: the key of your application in the API console
    ");
    let config =
        "[profiles.iam]\nprovider = \"huawei\"\nclient_id = \"a\"\nclient_secret = \"b\"\n";
    assert_snapshot!(error_of(config, "iam", &[]), @r"
    gatepass: huawei/iam: c.toml:1: `domain`: missing
      hint: the user access domain, such as acme.huaweioneaccess.com
    ");
}

#[test]
fn wrong_type_is_reported() {
    assert_snapshot!(cisco_error("client_id = 5"), @r#"
    gatepass: cisco/cisco: c.toml:2: `client_id`: must be a string, not a number
      hint: write it in quotes: client_id = "…"
    "#);
    assert_snapshot!(cisco_error("client_id = [\"unsaid-secret\"]"), @r#"
    gatepass: cisco/cisco: c.toml:2: `client_id`: must be a string, not a list
      hint: write it in quotes: client_id = "…"
    "#);
    assert_snapshot!(cisco_error("client_id = 1979-05-27"), @r#"
    gatepass: cisco/cisco: c.toml:2: `client_id`: must be a string, not a date
      hint: write it in quotes: client_id = "…"
    "#);
    assert_snapshot!(cisco_error("client_id = \"a\"\nallow_plain_http = \"yes\""), @r"
    gatepass: cisco/cisco: c.toml:3: `allow_plain_http`: must be true or false, not a string
      hint: write it without quotes: allow_plain_http = true
    ");
    assert_snapshot!(cisco_error("client_id = \"a\"\ntimeout = 5"), @r#"
    gatepass: cisco/cisco: c.toml:3: `timeout`: must be a string, not a number
      hint: write it in quotes, with its unit: timeout = "90s"
    "#);
    assert_snapshot!(cisco_error("client_id = \"a\"\ntimeout = \"unsaid-secret\""), @r"
    gatepass: cisco/cisco: c.toml:3: `timeout`: not a duration
      hint: write it like 90s, 10m or 1h30m
    ");
    assert_snapshot!(cisco_error("client_id = \"a\"\napi_origins = \"unsaid-secret\""), @r"
    gatepass: cisco/cisco: c.toml:3: `api_origins`: the address is not a URL like https://host/path
      hint: write it like https://host:port/path
    ");
    assert_snapshot!(cisco_error("client_id = { fil = \"unsaid-secret\" }"), @r#"
    gatepass: cisco: c.toml:2: `client_id`: unknown reference `fil`; did you mean `file`?
      hint: use one of { env = "NAME" } { file = "PATH" } { command = ["PROGRAM", "ARGUMENT"] } { systemd = "NAME" } { keyring = "NAME" } { stdin = true }
    "#);
    assert_snapshot!(cisco_error("client_id = { env = \"A\", file = \"B\" }"), @r#"
    gatepass: cisco: c.toml:2: `client_id`: a reference has exactly one key that names the place
      hint: use one of { env = "NAME" } { file = "PATH" } { command = ["PROGRAM", "ARGUMENT"] } { systemd = "NAME" } { keyring = "NAME" } { stdin = true }
    "#);
    assert_snapshot!(cisco_error("client_id = { command = \"unsaid-secret\" }"), @r#"
    gatepass: cisco: c.toml:2: `client_id`: `command` must be a list: gatepass runs it without a shell
      hint: use one of { env = "NAME" } { file = "PATH" } { command = ["PROGRAM", "ARGUMENT"] } { systemd = "NAME" } { keyring = "NAME" } { stdin = true }
    "#);
}

#[test]
fn misleading_url_is_reported() {
    let base = |url: &str| cisco_error(&format!("client_id = \"a\"\nbase_url = \"{url}\""));
    assert_snapshot!(base("https://me:unsaid-secret@vendor.example.com"), @r"
    gatepass: cisco/cisco: c.toml:3: `base_url`: the address must not contain a user name or password
      hint: credentials have their own keys in the profile
    ");
    assert_snapshot!(base("https://vendor.example.com/?key=unsaid-secret"), @r"
    gatepass: cisco/cisco: c.toml:3: `base_url`: the address must not have a query (?…)
      hint: write it like https://host:port/path
    ");
    assert_snapshot!(base("https://vendor.example.com/#unsaid-secret"), @r"
    gatepass: cisco/cisco: c.toml:3: `base_url`: the address must not have a fragment (#…)
      hint: write it like https://host:port/path
    ");
    assert_snapshot!(base("http://vendor.example.com"), @r"
    gatepass: cisco/cisco: c.toml:3: `base_url`: plain http is allowed to this machine only
      hint: use https, or set allow_plain_http = true in the profile
    ");
    assert_snapshot!(base("vendor.example.com/unsaid-secret"), @r"
    gatepass: cisco/cisco: c.toml:3: `base_url`: the address is not a URL like https://host/path
      hint: write it like https://host:port/path
    ");
    assert_snapshot!(base("https://vendor.example.com/../unsaid-secret"), @r"
    gatepass: cisco/cisco: c.toml:3: `base_url`: the address must not have . or .. in its path
      hint: write it like https://host:port/path
    ");
    assert_snapshot!(base("ftp://vendor.example.com"), @r"
    gatepass: cisco/cisco: c.toml:3: `base_url`: the address must begin with https://
      hint: write it like https://host:port/path
    ");
}

#[test]
fn invalid_config_file_is_reported() {
    let of = |config: &str| error_of(config, "cisco", &[]);
    assert_snapshot!(of("[profiles.cisco]\nclient_secret = unsaid-secret-of-the-tests\n"), @r#"
    gatepass: c.toml:2: not valid TOML: string values must be quoted, expected literal string
      hint: strings must be quoted: client_id = "abc"
    "#);
    assert_snapshot!(of("[profiles.cisco]\nclient_secret = \"unsaid-secret-of-the-tests\n"), @r#"
    gatepass: c.toml:2: not valid TOML
      hint: strings must be quoted: client_id = "abc"
    "#);
    assert_snapshot!(of("[profiles.cisco]\na = \"1\"\na = \"unsaid-secret-of-the-tests\"\n"), @r#"
    gatepass: c.toml:3: not valid TOML: duplicate key
      hint: strings must be quoted: client_id = "abc"
    "#);
    assert_snapshot!(of("[profile.cisco]\nclient_secret = \"unsaid-secret-of-the-tests\"\n"), @r"
    gatepass: c.toml:1: unknown key `profile` at the top level
      hint: a profile begins with [profiles.NAME]
    ");
    assert_snapshot!(of("profiles = \"unsaid-secret-of-the-tests\"\n"), @r"
    gatepass: c.toml:1: `profiles`: must be a table
      hint: a profile begins with [profiles.NAME]
    ");
    assert_snapshot!(of("[profiles]\ncisco = \"unsaid-secret-of-the-tests\"\n"), @r"
    gatepass: c.toml:2: `profiles.cisco`: must be a table
      hint: write [profiles.cisco] on a line of its own
    ");
    assert_snapshot!(of("[profiles.\"-x\"]\n"), @r"
    gatepass: c.toml:1: `-x` is not a valid profile name
      hint: a name has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit
    ");
}

#[test]
fn invalid_set_argument_is_reported() {
    let config = format!(
        "[profiles.cisco]\nenvironment = \"id\"\nclient_id = \"a\"\nclient_secret = \"{SECRET}\"\n"
    );
    let set = |set: &str| error_of(&config, "cisco", &["--set", set]);
    assert_snapshot!(set("client_secret=unsaid-secret-of-the-tests"), @r"
    gatepass: cisco/cisco: --set: `client_secret`: a secret cannot be set on the command line
      hint: all users of this machine can read arguments: write it into the profile
    ");
    assert_snapshot!(set("base_url=https://unsaid-secret-of-the-tests"), @r"
    gatepass: cisco/cisco: --set: `base_url`: an address cannot be set on the command line
      hint: all users of this machine can read arguments: write it into the profile
    ");
    assert_snapshot!(set("client_secrt=unsaid-secret-of-the-tests"), @r"
    gatepass: cisco/cisco: --set: unknown key `client_secrt`
      hint: did you mean `client_secret`?
    ");
    assert_snapshot!(set("environment=unsaid-secret-of-the-tests"), @r"
    gatepass: cisco/cisco: --set: `environment`: unknown value
      hint: cisco has: id, cloudsso
    ");
}

#[test]
fn error_in_one_profile_does_not_affect_others() {
    let home = Home::new();
    let config = "[profiles.bad]\nprovider = \"cisco\"\nclient_id = \"a\"\nclient_secret = { evn = \"X\" }\n\
                  [profiles.cisco]\nenvironment = \"id\"\nclient_id = \"a\"\nclient_secret = { env = \"SET\" }\n";
    let path = home.write("c.toml", config);
    let list = home.gatepass(["list", "--format", "json"]).config(&path);
    let run = list.env("SET", "x").run();
    let states: Vec<_> =
        run.json().as_array().unwrap().iter().map(|p| p["state"].clone()).collect();
    assert_eq!(states, ["config error", "ready"], "{run:#?}");
}
