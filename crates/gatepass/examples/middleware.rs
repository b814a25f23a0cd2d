//! Adds a token to each request of a client with middleware, with a sandbox as the vendor.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use gatepass::cloudneeti::Cloudneeti;
use gatepass::http::{TokenMiddleware, api_client_builder};
use gatepass::{Credential, Endpoint, HttpClient, TokenSource};
use gatepass_sandbox::Sandbox;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start().await?;
    let client = sandbox.client("cloudneeti").ok_or("no client")?;
    let field = |name: &str| client.field(name).unwrap_or_default();
    let base_url = sandbox.base_url("cloudneeti");

    let cspm = TokenSource::builder(
        Cloudneeti::new(field("license_id"))?.base_url(Endpoint::parse(&base_url)?),
        Credential::new()
            .with_text("api_application_id", field("api_application_id"))
            .with_secret("api_application_secret", field("api_application_secret"))
            .with_secret("subscription_key", field("subscription_key")),
    )
    .http(HttpClient::new()?)
    .build()?;
    let api = reqwest_middleware::ClientBuilder::new(api_client_builder().build()?)
        .with(TokenMiddleware::new(cspm))
        .build();

    let accounts =
        format!("{base_url}/api/onboarding/license/{}/licenseAccounts", field("license_id"));
    println!("the first call returns {}", api.get(&accounts).send().await?.status());
    sandbox.revoke_all("cloudneeti")?;
    println!(
        "after its token is revoked, the next one returns {}",
        api.get(&accounts).send().await?.status()
    );
    println!("the vendor has issued {} tokens", sandbox.state().provider("cloudneeti").issued);
    sandbox.shutdown().await;
    Ok(())
}
