//! Bright Pattern Configuration API access tokens for gatepass.
