//! Every registered provider, asked what all providers are asked.

use gatepass::Registry;
use gatepass_testkit::conform;
use gatepass_tests::workspace;

#[test]
fn every_registered_provider_conforms_with_its_fixtures() {
    let registry = Registry::linked().unwrap();
    assert!(registry.ids().len() >= 5);
    for info in registry.iter() {
        conform(info, workspace().join(format!("crates/provider-{}/fixtures", info.id)));
    }
}
