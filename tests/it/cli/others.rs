//! The commands that make no token for others: `providers`, `list`, `inspect`, `completions`.

use gatepass_tests::{Home, Reply, Server, VENDORS, vendor};
use serde_json::Value;

#[test]
fn providers_tells_every_field_of_every_provider() {
    let run = Home::new().gatepass(["providers"]).run();
    for vendor in &VENDORS {
        assert!(run.ok().contains(vendor.id), "{run:#?}");
        for name in vendor.secrets {
            assert!(run.stdout.contains(name), "{name}");
        }
    }
    for common in ["base_url", "timeout", "ca_file", "api_origins", "allow_plain_http"] {
        assert!(run.stdout.contains(common), "{common}");
    }
}

#[test]
fn providers_as_json_is_an_array_with_the_contracts_members() {
    let providers = Home::new().gatepass(["providers", "--format", "json"]).run().json();
    let providers = providers.as_array().unwrap();
    assert!(
        providers.iter().map(|one| one["id"].as_str().unwrap()).eq(VENDORS.iter().map(|v| v.id))
    );
    for provider in providers {
        let mut names: Vec<&str> =
            provider.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["docs", "environments", "fields", "id", "title", "vendor"]);
        assert!(provider["docs"].as_str().unwrap().starts_with("https://"), "{provider}");
        assert!(provider["environments"].as_array().unwrap().iter().all(Value::is_string));
        for field in provider["fields"].as_array().unwrap() {
            let is = |name: &str, is: fn(&Value) -> bool| is(&field[name]);
            assert!(is("name", Value::is_string) && is("kind", Value::is_string), "{field}");
            assert!(
                is("secret", Value::is_boolean) && is("required", Value::is_boolean),
                "{field}"
            );
            assert!(
                is("help", |help| help.as_str().is_some_and(|help| !help.is_empty())),
                "{field}"
            );
        }
        let secrets = provider["fields"].as_array().unwrap().iter();
        let secrets: Vec<&str> =
            secrets.filter(|f| f["secret"] == true).map(|f| f["name"].as_str().unwrap()).collect();
        assert_eq!(secrets, vendor(provider["id"].as_str().unwrap()).secrets);
    }
}

#[test]
fn list_tells_each_profile_and_what_is_wrong_with_it() {
    let config = vendor("cisco").profile("http://127.0.0.1:9", "")
        + "[profiles.broken]\nprovider = \"huawei\"\nclient_id = \"x\"\n";
    let home = Home::with_config(&config);
    let list = |args| {
        home.gatepass(args)
            .env("GATEPASS_LAKE_PROVIDER", "celerdata")
            .env("GATEPASS_LAKE_CLIENT_ID", "a")
            .env("GATEPASS_LAKE_CLIENT_SECRET", "b")
            .run()
    };
    let text = list(["list", "--format", "text"]);
    for word in ["cisco", "broken", "lake", "huawei", "celerdata", "config.toml", "environment"] {
        assert!(text.ok().contains(word), "{word}: {text:#?}");
    }
    let rows = list(["list", "--format", "json"]).json();
    let row = |name: &str| {
        rows.as_array().unwrap().iter().find(|row| row["profile"] == name).unwrap().clone()
    };
    assert_eq!(
        (&row("cisco")["provider"], &row("cisco")["error"]),
        (&"cisco".into(), &Value::Null)
    );
    assert_eq!(row("lake")["provider"], "celerdata");
    let error = row("broken")["error"].as_str().unwrap().to_owned();
    assert!(error.contains("domain") || error.contains("client_secret"), "{error}");
    assert_eq!(rows.as_array().unwrap().len(), 3);
}

#[test]
fn list_without_any_profile_says_how_to_make_one() {
    let run = Home::new().gatepass(["list"]).run();
    assert_eq!(run.ok(), "");
    assert!(run.stderr.contains("profiles.") && run.stderr.contains("GATEPASS_"), "{run:#?}");
    assert_eq!(
        Home::new().gatepass(["list", "--format", "json"]).run().json(),
        Value::Array(vec![])
    );
}

#[test]
fn inspect_tells_all_but_the_token() {
    let answer = vendor("huawei").token_answer("token-not-shown-1234567890");
    let server = Server::answering([Reply::json(200, answer)]);
    let home = Home::with_config(&vendor("huawei").profile(&server.url(), ""));
    let text = home.gatepass(["inspect", "huawei"]).run();
    for word in ["huawei", "config.toml", "client_secret", "Bearer", "26", "all"] {
        assert!(text.ok().contains(word), "{word}: {text:#?}");
    }
    let json = home.gatepass(["inspect", "huawei", "--format", "json"]).run();
    assert_eq!(json.json()["provider"], "huawei");
    assert_eq!(json.json()["scope"], "all");
    for run in [&text, &json] {
        let all = run.all();
        assert!(!all.contains("token-not") && !all.contains("of-the-tests"), "{run:#?}");
        assert!(!all.contains("ID-7Q"), "{run:#?}");
    }
}

#[test]
fn completions_of_every_shell_know_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = Home::new().gatepass(["completions", shell]).run();
        for word in ["token", "providers", "min-ttl"] {
            assert!(run.ok().contains(word), "{shell} does not know {word}");
        }
        assert_eq!(run.stderr, "");
    }
    let run = Home::new().gatepass(["completions", "tcsh"]).run();
    assert!(run.failed(2).contains("zsh"), "{run:#?}");
}

#[test]
fn bash_accepts_its_completions() {
    let home = Home::new();
    let script = home.gatepass(["completions", "bash"]).run().ok().to_owned();
    let path = home.write("tmp/gatepass.bash", &script);
    let bash = home.program("/bin/bash".as_ref(), ["-n", path.to_str().unwrap()]);
    assert_eq!(bash.run().ok(), "");
}
