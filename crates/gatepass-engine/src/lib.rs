//! Keeps access tokens fresh: cache and single flight for gatepass.
