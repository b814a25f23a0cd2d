//! The HTTP client of gatepass.
