//! Providers whose id, fields and behaviour come from data that the program reads at run time.

use std::time::SystemTime;

use gatepass::provider::{
    Field, FieldKind, Provider, ProviderInfo, Registry, Request, Response, oauth2,
};
use gatepass::{Credential, Endpoint, Result, Token};

/// Adds a provider for each line `id address key…` to a registry.
pub fn with_vendors(registry: Registry, text: &str) -> Result<Registry> {
    text.lines().try_fold(registry, |registry, line| {
        let mut words = line.split(' ').map(str::to_owned);
        let id = words.next().unwrap_or_default();
        let address = words.next().unwrap_or_default();
        let keys: Vec<String> = words.collect();
        let mut info = ProviderInfo::owned(&id, format!("The vendor {id}"));
        info.fields =
            keys.iter().map(|key| Field::owned(key, FieldKind::Secret, "a secret")).collect();
        let info = info.build_with(move |settings| {
            let own = Endpoint::parse(&address)?;
            let endpoint = settings.base_url().cloned().unwrap_or(own).join("/token")?;
            Ok(Box::new(DataProvider { id: id.clone(), endpoint, keys: keys.clone() }))
        });
        registry.with_info(info, "the list of vendors")
    })
}

#[derive(Debug)]
struct DataProvider {
    id: String,
    endpoint: Endpoint,
    keys: Vec<String>,
}

impl Provider for DataProvider {
    fn id(&self) -> &str {
        &self.id
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        let pairs = self.keys.iter().map(|key| Ok((&**key, credential.secret(key)?.expose_secret())));
        Ok(Request::post(self.endpoint.clone()).form(pairs.collect::<Result<Vec<_>>>()?))
    }

    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        oauth2::read_token(response, sent)
    }
}

#[cfg(test)]
mod tests {
    use gatepass::config::Config;
    use gatepass::{ErrorKind, Gate};

    use super::*;

    const VENDORS: &str = "north https://north.example key\nsouth https://south.example a b";

    fn registry() -> Registry {
        with_vendors(Registry::empty(), VENDORS).unwrap()
    }

    #[test]
    fn profile_uses_provider_made_at_run_time() {
        let text = "[profiles.south]\na = \"secret-1\"\nb = \"secret-2\"\n";
        let gate = Gate::new(Config::from_toml(text).unwrap(), registry()).unwrap();
        let source = gate.source("south").unwrap();
        let credential = Credential::new().with_secret("a", "1").with_secret("b", "2");
        let request = source.provider().token_request(&credential).unwrap();
        assert_eq!(request.endpoint().as_str(), "https://south.example/token");
        assert_eq!(request.body(), b"a=1&b=2");
        assert_eq!(source.provider().id(), "south");
    }

    #[test]
    fn missing_field_of_run_time_provider_is_named() {
        let config = Config::from_toml("[profiles.north]\n").unwrap();
        let error = Gate::new(config, registry()).unwrap().source("north").unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some("key")));
    }

    #[test]
    fn two_vendors_of_one_id_are_refused() {
        let error = with_vendors(registry(), VENDORS).unwrap_err();
        assert!(error.message().contains("`north`"), "{error}");
    }
}
