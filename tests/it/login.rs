//! `gatepass login` as a person meets it: in a real browser and at a real terminal.

mod support;
