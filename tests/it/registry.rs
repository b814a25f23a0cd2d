//! Tests of the linked providers for each feature set, in this program, in small programs and with
//! LTO.

use std::path::Path;
use std::sync::OnceLock;

use gatepass::provider::Registry;
use gatepass_tests::{Home, VENDORS, Workspace};

#[test]
fn all_five_providers_are_linked() {
    let registry = Registry::linked().unwrap();
    assert_eq!(registry.ids(), VENDORS.map(|vendor| vendor.id));
}

#[test]
fn command_lists_all_provider_crates() {
    let run = Home::new().gatepass(["providers", "--format", "json"]).run();
    let providers = run.json();
    let listed: Vec<String> = providers
        .as_array()
        .unwrap()
        .iter()
        .map(|provider| format!("provider-{}", provider["id"].as_str().unwrap()))
        .collect();
    let crates = std::fs::read_dir(gatepass_tests::workspace().join("crates")).unwrap();
    let mut folders: Vec<String> = crates
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("provider-"))
        .collect();
    folders.sort_unstable();
    assert_eq!(listed, folders);
}

/// A workspace of two programs: one prints the ids of its linked providers, the other is the command
/// with selected features.
fn programs() -> &'static Workspace {
    static PROGRAMS: OnceLock<Workspace> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let programs = Workspace::new("registry", &["ids", "some-vendors"]);
        let features: String = VENDORS
            .iter()
            .map(|vendor| format!("{0} = [\"DEPENDENCY/{0}\"]\n", vendor.id))
            .collect();
        let manifest = |name: &str, dependency: &str, config_features: &str| {
            format!(
                "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
                 [features]\n{}config = [{config_features}]\n\n[dependencies]\n{dependency} = \
                 {{ path = \"GATEPASS/{dependency}\", default-features = false }}\n",
                features.replace("DEPENDENCY", dependency)
            )
        };
        let library_features = "\"gatepass/config\", \"gatepass/http\"";
        programs.write("ids/Cargo.toml", &manifest("ids", "gatepass", library_features));
        programs.write("ids/src/main.rs", IDS);
        programs.write("some-vendors/Cargo.toml", &manifest("some-vendors", "gatepass-cli", ""));
        programs.write("some-vendors/src/main.rs", COMMAND);
        programs
    })
}

const IDS: &str = "//! Prints the id of every provider that is linked in.\n\n\
    fn main() {\n    for id in gatepass::provider::Registry::linked().unwrap().ids() {\n        \
    println!(\"{id}\");\n    }\n}\n";

const COMMAND: &str = "//! The command.\n\n\
    fn main() -> std::process::ExitCode {\n    gatepass_cli::main()\n}\n";

/// Returns the output of the program built with these features.
fn ids(features: &[&str], more: &[&str]) -> Vec<String> {
    let features = features.join(",");
    let options = [&["--no-default-features", "--features", &features], more].concat();
    // Run before the next build overwrites the executable.
    let program = programs().build("ids", &options);
    Home::new().program(&program, []).run().ok().lines().map(str::to_owned).collect()
}

#[test]
fn features_link_exactly_their_providers() {
    let all = VENDORS.map(|vendor| vendor.id);
    assert_eq!(ids(&[], &[]), [""; 0]);
    for id in all {
        assert_eq!(ids(&[id], &[]), [id]);
    }
    assert_eq!(ids(&all, &[]), all);
    let with_config = [all.as_slice(), &["config"]].concat();
    assert_eq!(ids(&with_config, &[]), all);

    // LTO is the most likely to drop a crate that no code names.
    assert_eq!(ids(&["huawei"], &["--release"]), ["huawei"]);
    assert_eq!(ids(&all, &["--release"]), all);
}

#[test]
fn error_names_the_missing_feature() {
    let built =
        programs().build("some-vendors", &["--no-default-features", "--features", "celerdata"]);
    let command =
        |home: &Home, args: [&'static str; 3]| home.program(Path::new(&built), args).run();
    let run = command(&Home::new(), ["providers", "--format", "json"]);
    assert_eq!(run.json().as_array().unwrap().len(), 1);
    for (name, feature) in [
        ("huawei", "huawei"),
        ("Bright Pattern", "configapi"),
        ("zscaler", "cloudneeti"),
        ("cisco", "cisco"),
    ] {
        let home = Home::with_config(&format!("[profiles.p]\nprovider = \"{name}\"\n"));
        let run = command(&home, ["token", "p", "--quiet"]);
        let error = run.failed(2);
        assert!(error.contains("which has: celerdata\n"), "{error}");
        assert!(error.contains(&format!("feature `{feature}`")), "{error}");
    }
    let demo = command(&Home::new(), ["demo", "--format", "json"]);
    assert_eq!(demo.json().as_array().unwrap().len(), 1);
}
