//! Tests of `gatepass config check`: every profile, without network and without a secret.

use gatepass_tests::{Home, Server, VENDORS, vendor};
use serde_json::{Value, json};

fn check(home: &Home) -> Value {
    let run = home.gatepass(["config", "check", "--format", "json"]).run();
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["exit"], json!(run.code), "{run:#?}");
    assert_eq!((run.stderr.as_str(), &report["ok"]), ("", &json!(run.code == Some(0))));
    report
}

#[test]
fn check_reads_no_secret_and_sends_no_request() {
    let server = Server::responding([]);
    let home = Home::new();
    let marker = home.path("marker");
    let command = format!("{{ command = [\"touch\", \"{}\"] }}", marker.display());
    let mut config = String::new();
    for (number, vendor) in VENDORS.iter().enumerate() {
        let secret = [
            "{ file = \"missing\" }",
            "{ env = \"UNSET\" }",
            "{ keyring = \"missing\" }",
            "{ systemd = \"missing\" }",
            &command,
        ][number];
        let profile = vendor.profile_with(&server.url(), "", |_| secret.to_owned());
        // Settings that are not secret may be references as well.
        config += &profile.replace("\"app-1\"", &command);
    }
    config += "[profiles.other]\nprovider = \"huawei\"\ndomain = { env = \"UNSET\" }\n\
               client_id = { stdin = true }\nclient_secret = { stdin = true }\n\
               timeout = { env = \"UNSET\" }\nca_file = { env = \"UNSET\" }\n";
    home.write("config/gatepass/config.toml", &config);
    let report = check(&home);
    assert_eq!(report["ok"], true, "{report:#}");
    assert_eq!(report["profiles"].as_array().unwrap().len(), VENDORS.len() + 1);
    let path = home.path("config/gatepass/config.toml");
    assert_eq!(report["config"], path.to_str().unwrap());
    assert!(!marker.exists() && server.connections() == 0);
    let text = home.gatepass(["config", "check"]).run();
    assert!(text.ok().contains("✓ other       huawei\n"), "{text:#?}");
    assert!(text.stdout.ends_with(&format!("\n6 profiles, {}\n", path.display())), "{text:#?}");
}

#[test]
fn each_wrong_profile_is_named_with_its_line() {
    let home = Home::new();
    let good = vendor("cisco").profile("http://127.0.0.1:1", "");
    let config = format!(
        "{good}\n[profiles.typo]\nprovider = \"cisco\"\nclient_idd = \"x\"\n\
         [profiles.lake]\nprovider = \"celerdata\"\n\n\
         client_id = \"x\"\nclient_secret = {{ envv = \"X\" }}\n\
         [profiles.short]\nprovider = \"celerdata\"\nclient_id = \"x\"\n\
         [profiles.ca]\nprovider = \"celerdata\"\nclient_id = \"x\"\n\
         client_secret = {{ env = \"X\" }}\nca_file = \"ca.pem\"\n\
         [profiles.vendor]\nprovider = \"cizco\"\n"
    );
    home.write("config/gatepass/ca.pem", "no certificate");
    home.write("config/gatepass/config.toml", &config);
    let report = check(&home);
    assert_eq!((&report["exit"], &report["error"]), (&json!(2), &Value::Null));
    let line = |text: &str| config.lines().position(|line| line.contains(text)).unwrap() + 1;
    for (name, line, part) in [
        ("typo", line("client_idd"), "unknown key `client_idd`"),
        ("lake", line("envv"), "unknown reference `envv`"),
        ("short", line("[profiles.short]"), "missing"),
        ("ca", line("ca_file"), "certificate"),
        ("vendor", line("cizco"), "no provider `cizco`"),
    ] {
        let rows = report["profiles"].as_array().unwrap();
        let row = rows.iter().find(|row| row["profile"] == name).unwrap();
        let error = &row["error"];
        assert_eq!((&row["ok"], &error["code"]), (&json!(false), &json!("config")), "{row:#}");
        assert_eq!(error["line"], line, "{row:#}");
        assert!(error["file"].as_str().unwrap().ends_with("/config.toml"), "{row:#}");
        assert!(error["message"].as_str().unwrap().contains(part), "{row:#}");
        assert!(error["hint"].is_string(), "{row:#}");
    }
    let run = home.gatepass(["config", "check"]).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(2), ""));
    assert!(run.stdout.contains(&format!("config.toml:{}: unknown key", line("client_idd"))));
    assert!(
        run.stdout.contains("✓ cisco   cisco\n") && run.stdout.contains("5 of 6 profiles wrong")
    );
}

#[test]
fn literal_secret_in_a_readable_file_is_wrong() {
    let home = Home::new();
    let good = vendor("cisco").profile("http://127.0.0.1:1", "");
    home.write_as("config/gatepass/config.toml", &good, 0o644);
    let report = check(&home);
    let error = report.pointer("/profiles/0/error/message").unwrap().as_str().unwrap();
    assert!(error.contains("a secret in a file that other users can read"), "{error}");
}

#[test]
fn file_that_cannot_be_read_is_wrong() {
    let home = Home::with_config("[profiles.cisco\n");
    let report = check(&home);
    assert_eq!(report["error"]["line"], 1);
    assert!(report["error"]["message"].as_str().unwrap().contains("not valid TOML"));
    let missing = home.path("none.toml");
    let run = home.gatepass(["config", "check"]).config(&missing).run();
    assert_eq!(run.code, Some(2));
    assert!(run.stdout.contains("none.toml cannot be read"), "{run:#?}");
    let none = check(&Home::new());
    assert!(none["error"]["message"].as_str().unwrap().contains("/etc/gatepass/config.toml"));
}

#[test]
fn profile_of_variables_is_checked() {
    let home = Home::new();
    let check = || {
        let run = home.gatepass(["config", "check", "--format", "json"]);
        run.env("GATEPASS_LAKE_PROVIDER", "celerdata").env("GATEPASS_LAKE_CLIENT_ID", "app-1")
    };
    let run = check().env("GATEPASS_LAKE_CLIENT_SECRET_FILE", "/missing").run();
    assert_eq!(run.json()["profiles"][0]["provider"], "celerdata");
    let run = check().run();
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(run.code, Some(2));
    assert_eq!(report["profiles"][0]["error"]["field"], "client_secret", "{report:#}");
}
