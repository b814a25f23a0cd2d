//! Bright Pattern's Configuration API: numbers as strings, and accounts that lock.

use percent_encoding::percent_decode_str;
use serde_json::json;

use crate::{
    built_in::BuiltIn,
    random,
    response::SandboxResponse,
    vendor::ClientField,
    vendor_request::{VendorRequest, find},
    vendor_state::{TokenState, VendorContext},
};

pub(crate) const VENDOR: BuiltIn = BuiltIn {
    id: "configapi",
    fields: &[
        ClientField::text("client_id", || format!("sandbox.{}", random::text(random::LOWER, 8))),
        ClientField::secret_text("client_secret", || random::text(random::HEX_UPPER, 64)),
        ClientField::text("scope", || {
            format!("{}.sandbox.example", random::text(random::LOWER, 8))
        }),
    ],
    key: &["client_id"],
    settings: &[],
    profiles: &[("configapi", &[])],
    respond,
};

fn respond(request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
    match (request.method.as_str(), request.segments().as_slice()) {
        ("POST", ["configapi", "v2" | "v3", "oauth", "token"]) => token(request, vendor),
        ("GET", ["configapi", "v2", "phone", "user"]) => phone_users(request, vendor),
        ("GET", ["configapi", "v2", "user", name]) => user(request, vendor, name),
        (_, ["configapi", "v2" | "v3", "oauth", "token"]) => {
            SandboxResponse::method_not_allowed("POST")
        }
        (_, ["configapi", "v2", "phone", "user"] | ["configapi", "v2", "user", _]) => {
            SandboxResponse::method_not_allowed("GET")
        }
        _ => SandboxResponse::not_found(),
    }
}

fn token(request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
    if !request.is_form() {
        return SandboxResponse::new(415, "text/plain", "Unsupported Media Type");
    }
    let form = request.form();
    let field = |name: &str| find(&form, name).unwrap_or_default();
    let Some(client) = vendor.client(|client| client.get("client_id") == field("client_id")) else {
        return denied();
    };
    if vendor.failures(&client) >= MAX_FAILED_ATTEMPTS {
        return denied();
    }
    if field("grant_type") != "client_credentials"
        || field("client_secret") != client.get("client_secret")
        || field("scope") != client.get("scope")
    {
        vendor.count_failure(&client);
        return denied();
    }
    let lifetime = vendor.token_lifetime(&client, 3_600);
    let token = random::marked(random::HEX_MARK, random::HEX_UPPER, 64);
    vendor.issue_as(&token, &client, lifetime, None);
    SandboxResponse::token([
        ("access_token", token.into()),
        ("token_type", "Bearer".into()),
        ("expires_in", lifetime.as_secs().to_string().into()),
        ("scope", client.get("scope").into()),
    ])
}

/// The error response for a wrong parameter, a locked account and an inactive tenant.
fn denied() -> SandboxResponse {
    SandboxResponse::new(401, "text/plain", "Authentication failed")
}

fn phone_users(request: &VendorRequest, vendor: &VendorContext<'_>) -> SandboxResponse {
    let body = json!([{
        "extension": "1000", "loginId": "sandbox", "firstName": "Sandbox", "lastName": "User",
        "external": "16505555555", "voiceMail": true, "greeting": false,
    }]);
    reject_bearer(request, vendor)
        .unwrap_or_else(|| SandboxResponse::json_text(200, body.to_string()))
}

fn user(request: &VendorRequest, vendor: &VendorContext<'_>, name: &str) -> SandboxResponse {
    let name = percent_decode_str(name).decode_utf8_lossy();
    let found = vendor.client(|client| client.get("client_id") == name);
    reject_bearer(request, vendor).unwrap_or_else(|| match found {
        Some(client) => SandboxResponse::json(
            200,
            [("loginId", client.get("client_id").into()), ("disabled", false.into())],
        ),
        None => failed(404, 4, "User not found"),
    })
}

fn reject_bearer(request: &VendorRequest, vendor: &VendorContext<'_>) -> Option<SandboxResponse> {
    match request.bearer().map(|token| vendor.token_state(token)) {
        Some(TokenState::Valid(_)) => None,
        Some(TokenState::Expired) => Some(failed(401, 2, "Access token expired")),
        Some(TokenState::Unknown) => Some(failed(401, 1, "Access token does not exist")),
        None => Some(failed(401, 1, "Authorization header is missing")),
    }
}

fn failed(status: u16, code: u32, message: &str) -> SandboxResponse {
    SandboxResponse::json(status, [("errorCode", code.into()), ("errorMessage", message.into())])
}

/// Failed attempts after which the account is locked, also for the correct secret.
const MAX_FAILED_ATTEMPTS: u32 = 5;
