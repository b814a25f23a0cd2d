//! The description of each simulated vendor, and the list of all vendors.

use crate::{
    celerdata, cisco, cloudneeti, configapi,
    error::{Error, Result},
    huawei,
    response::SandboxResponse,
    vendor_request::VendorRequest,
    vendor_state::VendorContext,
};

/// All vendors of the sandbox.
pub(crate) const ALL: [&Vendor; 5] =
    [&celerdata::VENDOR, &cisco::VENDOR, &cloudneeti::VENDOR, &configapi::VENDOR, &huawei::VENDOR];

pub(crate) struct Vendor {
    pub(crate) id: &'static str,
    pub(crate) fields: &'static [ClientField],
    /// The fields that identify a client; a new client with the same values replaces the old one.
    pub(crate) key: &'static [&'static str],
    /// The settings of every profile of the generated config, besides a client's fields.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// The profiles of the generated config: a name and the fields to leave out.
    pub(crate) profiles: &'static [(&'static str, &'static [&'static str])],
    pub(crate) respond: fn(&VendorRequest, &mut VendorContext<'_>) -> SandboxResponse,
}

/// A field of a client.
pub(crate) struct ClientField {
    pub(crate) name: &'static str,
    pub(crate) secret: bool,
    pub(crate) make: fn() -> String,
}

impl ClientField {
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
