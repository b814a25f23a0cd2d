//! Vendor: what the sandbox knows of one vendor, and the list of all of them.

use crate::{
    celerdata, cisco, cloudneeti, configapi,
    error::{Error, Result},
    huawei,
    response::SandboxResponse,
    vendor_request::VendorRequest,
    vendor_state::VendorContext,
};

/// Every vendor of the sandbox.
pub(crate) const ALL: [&Vendor; 5] =
    [&celerdata::VENDOR, &cisco::VENDOR, &cloudneeti::VENDOR, &configapi::VENDOR, &huawei::VENDOR];

pub(crate) struct Vendor {
    pub(crate) id: &'static str,
    pub(crate) fields: &'static [Field],
    /// The fields that say which client it is; a new client with the same ones replaces the old.
    pub(crate) key: &'static [&'static str],
    /// The profiles of the ready config: name, and the fields it leaves out.
    pub(crate) profiles: &'static [(&'static str, &'static [&'static str])],
    pub(crate) answer: fn(&VendorRequest, &mut VendorContext<'_>) -> SandboxResponse,
}

/// One field of a client.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) secret: bool,
    pub(crate) make: fn() -> String,
}

impl Field {
    pub(crate) const fn text(name: &'static str, make: fn() -> String) -> Self {
        Self { name, secret: false, make }
    }

    pub(crate) const fn secret(name: &'static str, make: fn() -> String) -> Self {
        Self { name, secret: true, make }
    }
}

pub(crate) fn named(id: &str) -> Result<&'static Vendor> {
    ALL.into_iter()
        .find(|vendor| vendor.id == id)
        .ok_or_else(|| Error::unknown("provider", id, ALL.map(|vendor| vendor.id)))
}
