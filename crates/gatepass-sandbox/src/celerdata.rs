//! CelerData Cloud: a go-oauth2 token endpoint with a rate limit, and an API with JSON envelopes.

use serde_json::{Value, json};

use crate::{
    built_in::BuiltIn,
    random,
    response::SandboxResponse,
    vendor::ClientField,
    vendor_request::{VendorRequest, find},
    vendor_state::VendorContext,
};

pub(crate) const VENDOR: BuiltIn = BuiltIn {
    id: "celerdata",
    fields: &[
        ClientField::text("client_id", random::guid),
        ClientField::secret_text("client_secret", || random::text(random::MIXED, 40)),
    ],
    key: &["client_id"],
    settings: &[],
    profiles: &[("celerdata", &[])],
    respond,
};

fn respond(request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
    match (request.method.as_str(), request.segments().as_slice()) {
        ("POST", ["api", "1.0", "token"]) => token(request, vendor),
        ("GET", ["api", "1.0", "clusters"]) => with_valid_token(request, vendor, || {
            json!({ "clusters": [{
                "cluster_id": CLUSTER, "cluster_name": "sandbox", "cluster_state": "Running",
            }] })
        }),
        ("GET", ["api", "1.0", "clusters", id, "state"]) if *id == CLUSTER => with_valid_token(
            request,
            vendor,
            || json!({ "abnormal_reason": "", "cluster_state": "Running" }),
        ),
        ("GET", ["api", "1.0", "clusters", _, "state"]) => {
            match vendor.valid_token(request.bearer()) {
                Some(_) => api_error(404, 40_004, "cluster not found"),
                None => api_error(401, 40_100, INVALID_TOKEN),
            }
        }
        (_, ["api", "1.0", "token"]) => SandboxResponse::method_not_allowed("POST"),
        (_, ["api", "1.0", "clusters", ..]) => SandboxResponse::method_not_allowed("GET"),
        _ => api_error(404, 40_400, "not found"),
    }
}

fn token(request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
    if let Some(wait) = vendor.over_limit(MAX_REQUESTS_PER_MINUTE) {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        return api_error(429, 42_900, "too many requests")
            .with("retry-after", seconds.to_string());
    }
    let form = request.form();
    let grant = find(&form, "grant_type").or_else(|| request.query("grant_type"));
    if grant != Some("client_credentials") {
        let text = "The authorization grant type is not supported by the authorization server";
        return oauth_error("unsupported_grant_type", text);
    }
    let Some(client) = vendor.client_by_pair(&request.basic()) else {
        return oauth_error("invalid_client", "Client authentication failed");
    };
    let lifetime = vendor.token_lifetime(&client, 3_600);
    let mark = random::MARK.to_uppercase();
    let token = random::marked(&mark, random::UPPER, 48);
    vendor.issue_as(&token, &client, lifetime, None);
    // Go serializes the keys of a map in alphabetical order.
    SandboxResponse::token([
        ("access_token", token.into()),
        ("expires_in", lifetime.as_secs().into()),
        ("refresh_token", random::marked(&mark, random::UPPER, 48).into()),
        ("token_type", "Bearer".into()),
    ])
    .with("content-type", GO_JSON)
}

fn with_valid_token(
    request: &VendorRequest,
    vendor: &VendorContext<'_>,
    data: impl Fn() -> Value,
) -> SandboxResponse {
    match vendor.valid_token(request.bearer()) {
        Some(_) => SandboxResponse::json(200, [("code", 20_000.into()), ("data", data())]),
        None => api_error(401, 40_100, INVALID_TOKEN),
    }
}

/// Returns the token endpoint's error response; go-oauth2 uses 401 for almost every error.
fn oauth_error(error: &str, description: &str) -> SandboxResponse {
    SandboxResponse::oauth_error(401, error, description)
        .with("content-type", GO_JSON)
        .with("cache-control", "no-store")
        .with("pragma", "no-cache")
}

fn api_error(status: u16, code: u32, message: &str) -> SandboxResponse {
    SandboxResponse::json(status, [("code", code.into()), ("message", message.into())])
}

const MAX_REQUESTS_PER_MINUTE: usize = 600;
const CLUSTER: &str = "5a4db0c5-0000-4000-a000-000000000001";
const INVALID_TOKEN: &str = "invalid access token";
const GO_JSON: &str = "application/json;charset=UTF-8";
