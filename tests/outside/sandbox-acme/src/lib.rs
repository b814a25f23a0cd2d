//! Acme Cloud for the sandbox: its token endpoint, and one protected path of its API.

use gatepass_sandbox::{
    Client, ClientField, SandboxResponse, SandboxVendor, VendorContext, VendorRequest,
};
use serde_json::json;

/// The simulated vendor of the provider `acme`.
#[derive(Clone, Copy, Debug)]
pub struct AcmeVendor;

impl SandboxVendor for AcmeVendor {
    fn id(&self) -> &str {
        "acme"
    }

    fn fields(&self) -> Vec<ClientField> {
        vec![
            ClientField::fixed("tenant", "lab"),
            ClientField::id("client_id"),
            ClientField::secret("client_secret"),
        ]
    }

    /// `POST /<tenant>/v1/token` with `{"key":"…","secret":"…"}`.
    fn token(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        if request.method() != "POST" {
            return SandboxResponse::method_not_allowed("POST");
        }
        let json = request.json().unwrap_or_default();
        let has = |client: &Client, name, key: &str| client.field(name) == json[key].as_str();
        let path = request.decoded_segments();
        let Some(client) = vendor.client(|client| {
            client.field("tenant") == path.first().map(String::as_str)
                && has(client, "client_id", "key")
                && has(client, "client_secret", "secret")
        }) else {
            return SandboxResponse::oauth_error(401, "invalid_client", "No such key");
        };
        let lifetime = vendor.token_lifetime(&client, 900);
        let token = vendor.issue(&client, lifetime);
        SandboxResponse::token([("data", json!({ "jwt": token, "ttl": lifetime.as_secs() }))])
            .token_at("/data/jwt")
            .lifetime_at("/data/ttl")
    }

    /// `GET /v1/whoami` with a valid token.
    fn api(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        match (request.method().as_str(), request.path(), vendor.client_of(request.bearer())) {
            ("GET", "/v1/whoami", Some(client)) => {
                SandboxResponse::json(200, [("tenant", client.field("tenant").into())])
            }
            ("GET", "/v1/whoami", None) => {
                SandboxResponse::oauth_error(401, "invalid_token", "No such token")
            }
            _ => SandboxResponse::not_found(),
        }
    }
}
