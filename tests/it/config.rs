//! Tests of profiles: their sources, and the errors of invalid ones.

mod environment;
mod injection;
mod keyring;
mod mistakes;
mod places;
mod values;
