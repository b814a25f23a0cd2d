//! The exact list of providers for the features this is built with.
//!
//! It is run once for each feature alone, in every profile: a linker may drop what no code names.

#[test]
fn the_registry_has_exactly_the_features_it_was_built_with() {
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
