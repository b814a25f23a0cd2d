//! CelerData Cloud access tokens for gatepass.
