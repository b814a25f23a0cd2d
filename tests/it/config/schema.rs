//! Tests of `gatepass config schema` with an independent validator of JSON Schema.

use std::collections::BTreeSet;

use gatepass::cli_support::{COMMON_FIELDS, REFERENCE_OPTIONS, REFERENCES};
use gatepass::config::Config;
use gatepass::provider::Registry;
use gatepass_sandbox::Sandbox;
use gatepass_tests::{Home, VENDORS, python};
use serde_json::{Value, json};

use crate::manual;

/// Returns the schema that the command prints.
fn schema() -> Value {
    Home::new().gatepass(["config", "schema"]).run().json()
}

/// Checks the schema by its meta schema, and returns the errors of each document.
fn validate(documents: &[Value]) -> Vec<Vec<String>> {
    let script = "import json, sys\n\
                  from jsonschema import Draft202012Validator as Validator\n\
                  given = json.load(sys.stdin)\n\
                  Validator.check_schema(given['schema'])\n\
                  validator = Validator(given['schema'])\n\
                  errors = lambda one: [error.message for error in validator.iter_errors(one)]\n\
                  print(json.dumps([errors(one) for one in given['documents']]))\n";
    let given = json!({ "schema": schema(), "documents": documents });
    let home = Home::new();
    let run = home.program(python(), ["-c", script]).stdin(given.to_string()).run();
    serde_json::from_str(run.ok()).unwrap()
}

fn from_toml(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

#[track_caller]
fn assert_valid(configs: &[(String, String)]) {
    let documents: Vec<Value> = configs.iter().map(|(_, text)| from_toml(text)).collect();
    for ((name, text), errors) in configs.iter().zip(validate(&documents)) {
        assert!(errors.is_empty(), "{name}: {errors:?}\n{text}");
    }
}

#[test]
fn configs_of_the_manual_and_the_sandbox_are_valid() {
    let mut configs = Vec::new();
    for page in manual::pages() {
        for block in page.blocks.iter().filter(|block| block.is_config()) {
            configs.push((format!("{}:{}", page.path, block.line), block.text.clone()));
        }
    }
    assert!(configs.len() >= 5, "{}", configs.len());
    for vendor in &VENDORS {
        configs.push((vendor.id.to_owned(), vendor.profile("http://127.0.0.1:1", "")));
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::builder().start()).unwrap();
    configs.push((String::from("sandbox"), sandbox.config_toml()));
    runtime.block_on(sandbox.shutdown());
    assert_valid(&configs);
}

#[test]
fn each_form_of_a_value_is_valid() {
    let mut configs = Vec::new();
    for reference in [
        "{ env = \"X\" }",
        "{ file = \"x\" }",
        "{ file = \"x\", owner = 100, raw = true }",
        "{ file = \"x\", owner = \"root\" }",
        "{ command = [\"pass\", \"show\", \"x\"], line = 1 }",
        "{ env = \"X\", raw = false }",
        "{ command = [\"pass\", \"show\", \"\"] }",
        "{ keyring = \"acme/x\" }",
        "{ systemd = \"x\" }",
        "{ stdin = true }",
        "{ env = \"X\", raw = true }",
        "{ file = \"x\", owner = 100, raw = false }",
        "{ file = \"x\", owner = \"root\" }",
        "{ command = [\"pass\"], line = 2 }",
        "\"literal\"",
    ] {
        let text = format!(
            "[store]\npath = \"/var/lib/acme\"\n[profiles.lake]\nprovider = \"celerdata\"\n\
             client_id = {reference}\nclient_secret = {reference}\nscope = {reference}\n\
             timeout = \"5s\"\nleeway = {reference}\nca_file = \"ca.pem\"\nkeep_warm = true\n\
             api_origins = [\"https://a.example\"]\nbase_url = \"https://b.example\"\n\
             token_charset = \"vschar-no-space\"\n"
        );
        configs.push((reference.to_owned(), text));
    }
    configs.push((String::from("empty"), String::new()));
    assert_valid(&configs);
}

#[test]
fn wrong_configs_are_refused() {
    let profile = "[profiles.lake]\nprovider = \"celerdata\"\nclient_id = \"x\"\n";
    let secret = "client_secret = { env = \"X\" }\n";
    let with = |more: &str| format!("{profile}{secret}{more}\n");
    let cases = [
        (with("client_idd = \"x\""), "client_idd"),
        (with("timeout = 30"), "30"),
        (with("keep_warm = \"true\""), "'true' is not of type 'boolean'"),
        (with("token_charset = \"any\""), "any"),
        (with("domain = \"x\""), "domain"),
        (format!("{profile}client_secret = {{ envv = \"X\" }}"), "envv"),
        (format!("{profile}client_secret = {{ env = \"X\", file = \"y\" }}"), "file"),
        (format!("{profile}client_secret = {{}}"), "{}"),
        (format!("{profile}client_secret = {{ raw = true }}"), "raw"),
        (format!("{profile}client_secret = {{ env = \"X\", line = 1 }}"), "line"),
        (format!("{profile}client_secret = {{ env = \"X\", owner = 1 }}"), "owner"),
        (format!("{profile}client_secret = {{ command = [\"x\"], line = 0 }}"), "line"),
        (format!("{profile}client_secret = {{ command = [\"x\"], line = 1, raw = true }}"), "raw"),
        (format!("{profile}client_secret = {{ file = \"x\", raw = \"true\" }}"), "raw"),
        (format!("{profile}client_secret = {{ raw = true }}"), "raw"),
        (format!("{profile}client_secret = {{ env = \"X\", raw = \"yes\" }}"), "yes"),
        (format!("{profile}client_secret = {{ env = \"X\", owner = 100 }}"), "owner"),
        (format!("{profile}client_secret = {{ file = \"x\", line = 1 }}"), "line"),
        (format!("{profile}client_secret = {{ command = [\"x\"], line = 0 }}"), "0"),
        (format!("{profile}client_secret = {{ command = \"pass show x\" }}"), "pass"),
        (format!("{profile}client_secret = {{ command = [] }}"), "[]"),
        (format!("{profile}client_secret = {{ stdin = false }}"), "False"),
        (profile.to_owned(), "'client_secret' is a required property"),
        (String::from("[profiles.lake]\nclient_id = \"x\"\n"), "'provider' is a required"),
        (String::from("[profiles.lake]\nprovider = \"lake\"\n"), "lake"),
        (String::from("[profiles.\"a b\"]\nprovider = \"celerdata\"\n"), "a b"),
        (String::from("[profiles.huawei]\nclient_id = \"x\"\nclient_secret = \"y\"\n"), ""),
        (String::from("[profile.cisco]\nclient_id = \"x\"\n"), "profile"),
        (String::from("[store]\npath = \"state\"\n"), "state"),
        (String::from("[store]\nkeys = \"/x\"\n"), "keys"),
        (with("[profiles.other]\nprovider = { env = \"X\" }\nclient_idd = \"x\""), "client_idd"),
    ];
    let documents: Vec<Value> = cases.iter().map(|(text, _)| from_toml(text)).collect();
    for ((text, part), errors) in cases.iter().zip(validate(&documents)) {
        assert!(errors.iter().any(|error| error.contains(part)), "{text}\n{errors:?}");
        // The reader agrees, except about values that it does not read here.
        let registry = Registry::linked().unwrap();
        let config = Config::from_toml(text);
        let is_refused = config.is_err()
            || config.is_ok_and(|config| {
                let names = config.names(&registry);
                names.iter().any(|name| config.profile(name, &registry, &[]).is_err())
            });
        assert!(is_refused, "{text}");
    }
}

#[test]
fn schema_requires_what_the_reader_requires() {
    let registry = Registry::linked().unwrap();
    let mut cases = Vec::new();
    for vendor in &VENDORS {
        // Without `base_url`, which replaces some fields.
        let whole = vendor.profile("https://unused.example", "");
        for missing in whole.lines().filter(|line| !line.starts_with('[')) {
            let text: String = whole
                .lines()
                .filter(|line| *line != missing)
                .map(|line| format!("{line}\n"))
                .collect();
            let config = Config::from_toml(&text).unwrap();
            cases.push((text, config.profile(vendor.id, &registry, &[]).is_ok()));
        }
    }
    assert!(cases.iter().any(|(_, is_valid)| *is_valid));
    assert!(cases.iter().any(|(_, is_valid)| !*is_valid));
    let documents: Vec<Value> = cases.iter().map(|(text, _)| from_toml(text)).collect();
    for ((text, is_valid), errors) in cases.iter().zip(validate(&documents)) {
        assert_eq!(errors.is_empty(), *is_valid, "{errors:?}\n{text}");
    }
}

#[test]
fn schema_has_the_keys_that_the_reader_knows() {
    let (schema, registry) = (schema(), Registry::linked().unwrap());
    let own = registry.iter().flat_map(|info| &*info.fields);
    let mut keys: BTreeSet<&str> = COMMON_FIELDS.iter().chain(own).map(|one| &*one.name).collect();
    keys.extend(["unknown", "client_idd", "profiles"]);
    for info in registry.iter() {
        let path = format!("/$defs/provider.{}/properties", info.id);
        let properties = schema.pointer(&path).unwrap().as_object().unwrap();
        for key in &keys {
            let text = format!("[profiles.x]\nprovider = \"{}\"\n", info.id);
            let text = match *key {
                "provider" => text,
                key => format!("{text}{key} = \"x\"\n"),
            };
            let read = Config::from_toml(&text).unwrap().profile("x", &registry, &[]);
            let is_unknown = |message: &str| message == format!("unknown key `{key}`");
            let is_known = !read.is_err_and(|error| is_unknown(error.message()));
            assert_eq!(properties.contains_key(*key), is_known, "{}: {key}", info.id);
        }
    }
    for table in ["profiles", "store", "providers", "agent", "profile"] {
        let is_known = Config::from_toml(&format!("[{table}]\n")).is_ok();
        let path = format!("/properties/{table}");
        assert_eq!(schema.pointer(&path).is_some(), is_known, "{table}");
    }
    for key in ["path", "key", "unknown"] {
        let text = format!("[store]\n{key} = \"/x\"\n");
        let path = format!("/properties/store/properties/{key}");
        assert_eq!(schema.pointer(&path).is_some(), Config::from_toml(&text).is_ok(), "{key}");
    }
    let known = REFERENCES.into_iter().chain(REFERENCE_OPTIONS).chain(["vault", "envv", "rav"]);
    for key in known {
        let value = match key {
            "command" => "[\"true\"]",
            "stdin" | "raw" => "true",
            "line" | "owner" => "1",
            _ => "\"x\"",
        };
        // An option needs a key that names the place.
        let place = match key {
            "raw" | "owner" => "file = \"x\", ",
            "line" => "command = [\"true\"], ",
            _ => "",
        };
        let text = format!(
            "[profiles.cisco]\nenvironment = \"id\"\nclient_id = \"x\"\n\
             client_secret = {{ {place}{key} = {value} }}\n"
        );
        let read = Config::from_toml(&text).unwrap().profile("cisco", &registry, &[]);
        let path = format!("/$defs/reference/properties/{key}");
        assert_eq!(schema.pointer(&path).is_some(), read.is_ok(), "{key}: {read:?}");
    }
}

#[test]
fn schema_describes_each_field() {
    let schema = schema();
    for info in Registry::linked().unwrap().iter() {
        let path = format!("/$defs/provider.{}/properties", info.id);
        let properties = schema.pointer(&path).unwrap();
        for field in &*info.fields {
            let shown = properties[&*field.name]["description"].as_str().unwrap();
            assert!(shown.contains(&*field.help), "{}: {shown}", field.name);
        }
        for environment in &*info.environments {
            let shown = properties["environment"].to_string();
            assert!(shown.contains(&*environment.label), "{shown}");
        }
    }
}
