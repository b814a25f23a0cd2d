//! Tests of `gatepass demo`: every vendor, without configuration or network.

use std::collections::BTreeSet;
use std::fs;

use gatepass_tests::{Home, VENDORS};

#[test]
fn demo_shows_each_vendors_token_and_api_response() {
    let home = Home::new();
    let run = home.gatepass(["demo"]).run();
    let table = run.ok();
    for vendor in &VENDORS {
        assert!(table.contains(vendor.id), "{table}");
        assert!(run.stderr.contains(vendor.id), "{}", run.stderr);
    }
    assert!(run.stderr.ends_with("gatepass init\n"), "{}", run.stderr);
    assert!(table.contains("license token") && table.contains("account token"), "{table}");
    assert_eq!(fs::read_dir(home.path("tmp")).unwrap().count(), 0);
}

#[test]
fn demo_json_has_a_row_per_token() {
    let rows = Home::new().gatepass(["demo", "--format", "json"]).run().json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), VENDORS.len() + 1);
    let ids: BTreeSet<&str> = rows.iter().filter_map(|row| row["provider"].as_str()).collect();
    assert!(ids.into_iter().eq(VENDORS.iter().map(|vendor| vendor.id)));
    for row in rows {
        assert_eq!((&row["ok"], &row["api_status"]), (&true.into(), &200.into()), "{row}");
        assert!(row["expires_in"].as_u64().unwrap() > 0, "{row}");
    }
}

#[test]
fn demo_needs_no_home_config_or_proxy() {
    let run = Home::new()
        .gatepass(["demo"])
        .env("GATEPASS_CONFIG", "no-such-file.toml")
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("ALL_PROXY", "http://127.0.0.1:9")
        .without_env("HOME")
        .without_env("XDG_CONFIG_HOME")
        .without_env("GATEPASS_STATE_DIR")
        .run();
    assert!(run.ok().contains("huawei"));
}
