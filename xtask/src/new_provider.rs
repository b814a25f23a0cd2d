//! `cargo xtask new-provider <id>`.
use crate::failure::Result;
pub(crate) fn main(_words: &[String]) -> Result<()> {
    Ok(())
}
