//! The gatepass command: a vendor's access token at a shell.
