//! Tests of profiles: their sources, and the errors of invalid ones.

mod environment;
mod errors;
mod injection;
mod keyring;
mod location;
mod values;
