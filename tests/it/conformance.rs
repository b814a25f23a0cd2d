//! Runs the conformance suite for every registered provider.

use gatepass::provider::Registry;
use gatepass_testkit::conform;
use gatepass_tests::workspace;

#[test]
fn registered_providers_pass_the_conformance_suite() {
    let registry = Registry::linked().unwrap();
    assert!(registry.ids().len() >= 5);
    for info in registry.iter() {
        conform(info, workspace().join(format!("crates/provider-{}/fixtures", info.id)));
    }
}
