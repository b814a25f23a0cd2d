//! A token with nothing but this provider, `gatepass-core` and a blocking HTTP client:
//!
//! ```text
//! cargo run --example blocking http://127.0.0.1:8480/celerdata
//! ```
//!
//! Id and secret come from `CELERDATA_CLIENT_ID` and `CELERDATA_CLIENT_SECRET`. The client is built
//! without TLS, which is enough for the sandbox; ureq's feature `rustls` adds it.

#![expect(
    clippy::disallowed_methods,
    reason = "a user's own program reads its environment and tells the time"
)]

use std::env;
use std::error::Error;
use std::time::{Duration, SystemTime};

use gatepass_core::{Credential, Endpoint, MAX_BODY, Provider, Response};
use provider_celerdata::CelerData;

#[expect(clippy::print_stdout, reason = "the lifetime is what the example shows")]
fn main() -> Result<(), Box<dyn Error>> {
    let base_url = env::args().nth(1).ok_or("say the base URL")?;
    let credential =
        Credential::client(env::var("CELERDATA_CLIENT_ID")?, env::var("CELERDATA_CLIENT_SECRET")?);
    let lake = CelerData::new().base_url(Endpoint::parse(&base_url)?);

    // A token request follows no redirect, and an error has a body to read.
    let client: ureq::Agent = ureq::Agent::config_builder()
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(15)))
        .build()
        .into();
    let request = http::Request::try_from(lake.token_request(&credential)?)?;
    let sent = SystemTime::now();
    let (head, mut body) = client.run(request.map(|body| body.to_vec()))?.into_parts();
    let body = body.with_config().limit(MAX_BODY as u64).read_to_vec()?;
    let response = Response::from(http::Response::from_parts(head, body.into()));

    let token = lake
        .read_token(&response, sent)
        .map_err(|error| lake.explain(&credential, error).redacted(&credential))?;
    println!("a token for {} seconds", token.lifetime().as_secs());
    Ok(())
}
