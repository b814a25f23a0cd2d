//! The public types of the library: `Debug` shows no secret.

use std::error::Error as _;

use gatepass::{
    Config, Credential, CredentialSource, Env, Error, Gate, HttpClient, Registry, Secret, Settings,
    TokenSource,
};
use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{VENDORS, Vendors};

/// Every form in which a value prints itself.
fn printed(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}\n{value:#?}\n")
}

#[test]
fn the_debug_of_no_public_type_shows_a_secret() {
    let runtime = gatepass_tests::runtime();
    let vendors = Vendors::start();
    let config = || Config::from_toml(&vendors.sandbox.config_toml()).unwrap();
    let gate = Gate::new(config(), Registry::linked().unwrap()).unwrap();
    for one in &VENDORS {
        let client = vendors.sandbox.client(one.id).unwrap();
        let mut secrets: Vec<Canary> =
            one.secrets.iter().map(|name| Canary::of(name, client.field(name).unwrap())).collect();
        let profile = gate.profile(one.id, &[]).unwrap();
        let credential = runtime.block_on(profile.credential()).unwrap();
        let source = gate.source(one.id).unwrap();
        let token = runtime.block_on(source.token()).unwrap();
        let headers = runtime.block_on(source.headers()).unwrap();
        secrets.push(Canary::of("token", token.expose_secret()));
        let text = [
            printed(&config()),
            printed(&gate),
            printed(&profile),
            printed(&profile.options),
            printed(&profile.settings),
            printed(&profile.provider().unwrap()),
            printed(&profile.secret_sources()),
            printed(&credential),
            printed(&source),
            printed(&token),
            printed(&token.authorization()),
            printed(&headers),
            printed(&gate.http(&profile).unwrap()),
        ]
        .concat();
        assert_eq!(find_leak(&text, &secrets), None, "{}", one.id);
    }
    vendors.stop();
}

#[test]
fn what_a_program_makes_itself_hides_its_secret_too() {
    let secret = canary("secret");
    let text = || secret.text().to_owned();
    let cause = std::io::Error::other(text());
    let error = Error::credential(cause);
    let printed = [
        printed(&Secret::from(text())),
        printed(&Credential::client("id", text()).with_secret("other", text())),
        printed(&Env::fixed([("NAME", text())])),
        printed(&Settings::new()),
        printed(&TokenSource::fixed(text())),
        printed(&HttpClient::new().unwrap()),
        printed(&error),
        error.to_string(),
        printed(&Error::denied("no").with_vendor_text(&text()).with_vendor_code(&text())),
    ]
    .concat();
    assert_eq!(find_leak(&printed, std::slice::from_ref(&secret)), None);
    // The cause of a vault's own is kept for whoever asks for it.
    assert!(error.source().is_some());
}
