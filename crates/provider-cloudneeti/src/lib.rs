//! Cloudneeti (Zscaler CSPM) access tokens for gatepass.
