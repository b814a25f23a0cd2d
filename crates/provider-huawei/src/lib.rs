//! Huawei OneAccess access tokens for gatepass.
