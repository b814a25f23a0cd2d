//! `gatepass forget`: a profile's token goes, whatever its secret was.

use std::process::ExitCode;

use gatepass::{ProfileKey, TokenStore};
use serde_json::json;

use super::{gate, store};
use crate::args::{Common, Format};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) async fn run(name: &str, common: &Common, output: &Output) -> Result<ExitCode, Failure> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let gate = gate(common)?;
    // A profile that is gone from the config may still have a token; a typing error has none.
    let known = gate.profile(name, &[]);
    let forgotten = match store(&gate, output) {
        Some(store) => store.forget(&ProfileKey::new(name)).await?,
        None => 0,
    };
    if let (Err(error), 0) = (known, forgotten) {
        return Err(error.into());
    }
    match format {
        Format::Json => output.json(&json!({"profile": name, "forgotten": forgotten}))?,
        _ => output.say(&format!(
            "gatepass: {name}: {}",
            match forgotten {
                0 => String::from("there was nothing to forget"),
                1 => String::from("forgotten"),
                n => format!("{n} records forgotten"),
            }
        )),
    }
    Ok(ExitCode::SUCCESS)
}
