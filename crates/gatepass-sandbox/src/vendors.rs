//! The vendors of one sandbox: those of this crate, and those that the builder adds.

use std::sync::Arc;

use crate::{
    celerdata, cisco, cloudneeti, configapi,
    error::{Error, Result},
    huawei,
    vendor::{ClientField, SandboxVendor, VendorProfile},
};

/// A vendor and its facts, which are read once.
#[derive(Debug)]
pub(crate) struct Vendor {
    pub(crate) id: String,
    pub(crate) fields: Vec<ClientField>,
    pub(crate) profiles: Vec<VendorProfile>,
    pub(crate) implementation: Arc<dyn SandboxVendor>,
}

impl Vendor {
    pub(crate) fn new(implementation: Arc<dyn SandboxVendor>) -> Self {
        let (id, fields) = (implementation.id().to_owned(), implementation.fields());
        Self { id, fields, profiles: implementation.profiles(), implementation }
    }

    /// Checks the facts, which become paths and keys of a config.
    fn check(&self) -> Result<()> {
        let is_key = |text: &str| {
            !text.is_empty()
                && !text.starts_with('_')
                && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        };
        let names = self.profiles.iter().map(|profile| profile.name.as_str());
        let fields = self.fields.iter().map(|field| field.name.as_ref());
        let settings = self.profiles.iter().flat_map(|profile| &profile.settings);
        let keys = fields.clone().chain(settings.map(|(key, _)| key.as_str()));
        for text in [self.id.as_str()].into_iter().chain(names).chain(keys.clone()) {
            if !is_key(text) {
                let text: String =
                    text.chars().filter(|char| !char.is_control()).take(64).collect();
                return Err(Error::usage(format!(
                    "{text:?} of a vendor must have lower-case letters, digits, - and _ only"
                )));
            }
        }
        for profile in &self.profiles {
            let settings = profile.settings.iter().map(|(key, _)| key.as_str());
            let left_out = |key: &&str| profile.left_out.iter().any(|name| name == key);
            let shown = fields.clone().filter(|key| !left_out(key));
            let mut keys: Vec<&str> = OWN_KEYS.into_iter().chain(settings).chain(shown).collect();
            keys.sort_unstable();
            if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
                let (id, key) = (&self.id, pair[0]);
                return Err(Error::usage(format!("a profile of {id} would have {key} twice")));
            }
        }
        Ok(())
    }
}

/// The vendors by id. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Vendors(Arc<[Arc<Vendor>]>);

impl Vendors {
    /// Returns the vendors of this crate.
    pub(crate) fn built_in() -> Self {
        let built_in = [
            celerdata::VENDOR,
            cisco::VENDOR,
            cloudneeti::VENDOR,
            configapi::VENDOR,
            huawei::VENDOR,
        ];
        Self(built_in.into_iter().map(|vendor| Arc::new(Vendor::new(Arc::new(vendor)))).collect())
    }

    /// Returns these vendors and others, whose ids and profiles must be new.
    pub(crate) fn with(&self, others: Vec<Arc<dyn SandboxVendor>>) -> Result<Self> {
        let mut vendors = self.0.to_vec();
        for implementation in others {
            let vendor = Vendor::new(implementation);
            vendor.check()?;
            if vendors.iter().any(|known| known.id == vendor.id) {
                return Err(Error::usage(format!(
                    "there are two vendors with the id {}",
                    vendor.id
                )));
            }
            let known = vendors.iter().flat_map(|known| &known.profiles);
            let mut names: Vec<_> =
                known.chain(&vendor.profiles).map(|p| p.name.as_str()).collect();
            names.sort_unstable();
            if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                let name = pair[0];
                return Err(Error::usage(format!("there are two profiles with the name {name}")));
            }
            vendors.push(Arc::new(vendor));
        }
        Ok(Self(vendors.into()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Vendor>> {
        self.0.iter()
    }

    pub(crate) fn named(&self, id: &str) -> Result<&Arc<Vendor>> {
        let known = || self.iter().map(|vendor| vendor.id.as_str());
        let found = self.iter().find(|vendor| vendor.id == id);
        found.ok_or_else(|| Error::unknown("provider", id, known()))
    }
}

/// The keys that the sandbox writes in every profile.
const OWN_KEYS: [&str; 3] = ["provider", "base_url", "ca_file"];
