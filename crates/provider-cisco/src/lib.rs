//! Cisco access tokens for gatepass.
