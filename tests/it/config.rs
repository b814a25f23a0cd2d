//! Tests of profiles: their sources, and the errors of invalid ones.

mod check;
mod environment;
mod errors;
mod injection;
mod keyring;
mod location;
mod schema;
mod secret_files;
mod secret_forms;
mod state;
mod units;
mod values;
mod variables;
