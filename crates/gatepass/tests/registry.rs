//! Tests that the registry has exactly the providers of the enabled features.
//!
//! It runs once for each feature alone, in each build profile, because a linker may drop a crate that
//! no code names.

#[test]
fn registry_has_exactly_the_enabled_providers() {
    let expected: Vec<&str> = [
        ("celerdata", cfg!(feature = "celerdata")),
        ("cisco", cfg!(feature = "cisco")),
        ("cloudneeti", cfg!(feature = "cloudneeti")),
        ("configapi", cfg!(feature = "configapi")),
        ("huawei", cfg!(feature = "huawei")),
    ]
    .into_iter()
    .filter_map(|(id, on)| on.then_some(id))
    .collect();
    assert_eq!(gatepass::provider::Registry::linked().unwrap().ids(), expected);
}
