//! Tests of `gatepass providers`.

use gatepass_tests::{Home, VENDORS, vendor};
use serde_json::Value;

#[test]
fn providers_lists_all_fields() {
    let run = Home::new().gatepass(["providers"]).run();
    for vendor in &VENDORS {
        assert!(run.ok().contains(vendor.id), "{run:#?}");
        for name in vendor.secrets {
            assert!(run.stdout.contains(name), "{name}");
        }
    }
    let lines: Vec<&str> = run.stdout.lines().collect();
    let environments = [
        "  environments (required):",
        "    id                     id.cisco.com: applications registered since March 2023",
        "    cloudsso               cloudsso.cisco.com: older applications, and the implicit grant",
    ];
    assert!(lines.windows(3).any(|part| part == environments), "{run:#?}");
    let environments = [
        "  environments (the first is the default):",
        "    prod                   api.cloudneeti.com: production",
    ];
    assert!(lines.windows(2).any(|part| part == environments), "{run:#?}");
    for common in ["base_url", "timeout", "ca_file", "api_origins", "allow_plain_http"] {
        assert!(run.stdout.contains(common), "{common}");
    }
}

#[test]
fn providers_json_has_the_contract_members() {
    let providers = Home::new().gatepass(["providers", "--format", "json"]).run().json();
    let providers = providers.as_array().unwrap();
    assert!(
        providers.iter().map(|one| one["id"].as_str().unwrap()).eq(VENDORS.iter().map(|v| v.id))
    );
    for provider in providers {
        let mut names: Vec<&str> =
            provider.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["docs", "environment_required", "environments", "fields", "id", "title", "vendor"]
        );
        assert!(provider["docs"].as_str().unwrap().starts_with("https://"), "{provider}");
        assert_eq!(provider["environment_required"], provider["id"] == "cisco");
        for environment in provider["environments"].as_array().unwrap() {
            for name in ["name", "label", "base_url"] {
                assert!(environment[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
            }
        }
        for field in provider["fields"].as_array().unwrap() {
            let has = |name: &str, has: fn(&Value) -> bool| has(&field[name]);
            assert!(has("name", Value::is_string) && has("kind", Value::is_string), "{field}");
            assert!(
                has("secret", Value::is_boolean) && has("required", Value::is_boolean),
                "{field}"
            );
            assert!(
                has("help", |help| help.as_str().is_some_and(|help| !help.is_empty())),
                "{field}"
            );
        }
        let secrets = provider["fields"].as_array().unwrap().iter();
        let secrets: Vec<&str> =
            secrets.filter(|f| f["secret"] == true).map(|f| f["name"].as_str().unwrap()).collect();
        assert_eq!(secrets, vendor(provider["id"].as_str().unwrap()).secrets);
    }
}
