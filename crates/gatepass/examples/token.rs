//! Gets a token for a profile of a config file, with a sandbox as the vendor.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use gatepass::Gate;
use gatepass_sandbox::Sandbox;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start().await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("config.toml");
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(sandbox.config_toml().as_bytes())?;

    let gate = Gate::load(&path)?;
    let cisco = gate.source("cisco")?;
    let token = cisco.token().await?;

    println!("a {} token, valid for {} s", token.token_type(), token.lifetime().as_secs());
    sandbox.shutdown().await;
    Ok(())
}
