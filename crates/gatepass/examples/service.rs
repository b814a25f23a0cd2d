//! A service with its own HTTP settings and credential source, with a sandbox as the vendor.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use std::sync::Arc;

use gatepass::http::api_client_builder;
use gatepass::huawei::Huawei;
use gatepass::{Credential, Endpoint, HttpClient, SendWith, TokenSource, credential_fn};
use gatepass_sandbox::Sandbox;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start().await?;
    let vault = Arc::new(Vault(sandbox.client("huawei").ok_or("no client")?));

    let huawei = Huawei::new("acme.huaweioneaccess.com")?
        .base_url(Endpoint::parse(&sandbox.base_url("huawei"))?); // only for the sandbox
    let iam =
        TokenSource::builder(
            huawei,
            credential_fn(move || {
                let vault = vault.clone();
                async move {
                    Ok(Credential::client(vault.read("client_id"), vault.read("client_secret")))
                }
            }),
        )
        .http(HttpClient::from_builder(api_client_builder().user_agent("acme/1"))?)
        .build()?;

    let users =
        format!("{}/api/v2/tenant/users?org_id=&offset=0&limit=10", sandbox.base_url("huawei"));
    let api = api_client_builder().user_agent("acme/1").build()?;
    let response = api.get(users).send_with(&iam).await?;
    println!("the list of users returns {}", response.status());
    sandbox.shutdown().await;
    Ok(())
}

/// A stand-in for your secret store. It is read before each token request.
struct Vault(gatepass_sandbox::Client);

impl Vault {
    fn read(&self, name: &str) -> String {
        self.0.field(name).unwrap_or_default().to_owned()
    }
}
