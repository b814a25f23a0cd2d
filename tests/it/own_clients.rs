//! Tests of programs outside the workspace that have reqwest clients of their own.

use std::process::Command;

use gatepass_tests::Workspace;

/// Builds the program with these settings of its own reqwest, and runs it in both orders.
fn assert_both_work(name: &str, reqwest: &str, features: &[&str]) {
    // One workspace each: cargo unifies the features of the packages of one.
    let program = Workspace::new(name, &[name]);
    let template = gatepass_tests::workspace().join("tests/outside/own-client");
    program.copy(&template, name);
    let manifest = std::fs::read_to_string(template.join("Cargo.toml")).unwrap();
    let manifest = manifest.replace("PACKAGE", name).replace("REQWEST", reqwest);
    program.write(&format!("{name}/Cargo.toml"), &manifest);
    let program = program.build(name, features);
    for order in ["own-first", "gatepass-first"] {
        let output = Command::new(&program).arg(order).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} {order}: {stderr}");
        assert_eq!(output.stdout, b"both work\n", "{name} {order}");
        assert!(output.stderr.is_empty(), "{name} {order}: {stderr}");
    }
}

#[test]
fn default_reqwest_works_beside_gatepass() {
    assert_both_work("own-default", "features = [\"json\"]", &[]);
}

#[test]
fn rustls_reqwest_works_beside_gatepass() {
    assert_both_work("own-rustls", "default-features = false, features = [\"rustls\"]", &[]);
}

#[test]
fn native_tls_reqwest_works_beside_gatepass() {
    assert_both_work("own-native", "default-features = false, features = [\"native-tls\"]", &[]);
}

#[test]
fn reqwest_with_the_programs_provider_works_beside_gatepass() {
    let reqwest = "default-features = false, features = [\"rustls-no-provider\"]";
    assert_both_work("own-provider", reqwest, &["--features", "provider"]);
}

#[test]
fn reqwest_without_tls_works_with_the_documented_line() {
    let reqwest = "default-features = false, features = [\"json\"]";
    assert_both_work("own-none", reqwest, &["--features", "provider"]);
    let line = "rustls::crypto::ring::default_provider().install_default()";
    let page = gatepass_tests::workspace().join("docs/start/rust.md");
    assert!(std::fs::read_to_string(page).unwrap().contains(line));
}
