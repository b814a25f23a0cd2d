//! The form in which the vendors of this crate are written down: constants with a function.

use crate::{
    faults::Target,
    response::SandboxResponse,
    vendor::{ClientField, SandboxVendor, VendorProfile},
    vendor_request::VendorRequest,
    vendor_state::VendorContext,
};

#[derive(Debug)]
pub(crate) struct BuiltIn {
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

impl SandboxVendor for BuiltIn {
    fn id(&self) -> &str {
        self.id
    }

    fn fields(&self) -> Vec<ClientField> {
        let mut fields = self.fields.to_vec();
        for field in &mut fields {
            field.is_id = self.key.contains(&field.name.as_ref());
        }
        fields
    }

    fn profiles(&self) -> Vec<VendorProfile> {
        let profile = |(name, left_out): &(&str, &[&str])| {
            let profile = VendorProfile::new(*name);
            let profile =
                self.settings.iter().fold(profile, |p, (key, value)| p.setting(*key, *value));
            left_out.iter().fold(profile, |profile, field| profile.without(*field))
        };
        self.profiles.iter().map(profile).collect()
    }

    /// A vendor of this crate can have a login page, whose faults apply to its last redirect.
    fn target(&self, request: &VendorRequest) -> Target {
        request.target()
    }

    fn token(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        (self.respond)(request, vendor)
    }

    fn api(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        (self.respond)(request, vendor)
    }
}
