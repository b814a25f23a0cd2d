//! Where a profile comes from, and what is said of one with a mistake.

mod environment;
mod injection;
mod keyring;
mod mistakes;
mod places;
mod values;
